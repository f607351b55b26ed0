"""Columns by one matrix product, added by output phase; `_columns.py` tells how.

On a CPU XLA's own op is slow where it has groups or three axes, and its gradient of the kernel is slow everywhere. The
derivatives of this are matrix products too.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import jax

from upconv._lower._jax._columns import by_columns, columns_workspace, count_blocks
from upconv._lower._jax._phases import ADDITIONS, additions
from upconv._lower._jax._shared import finish, platform, transposed, wide
from upconv._plan import Plan

__all__ = [
    "LEAKS",
    "conv",
    "conv_transpose",
    "conv_weight",
    "reason",
    "refusal",
    "refusal_conv",
    "refusal_conv_weight",
    "slow",
    "workspace",
]

# Blocks of a dense layer. That which `slow` names takes XLA's own op 151 ms, and this 160 in 4, 175 in 8, 190 in 16.
BLOCKS = 8

LEAKS = {"conv": "weight", "conv_weight": "x"}  # the transpose of a crop appends zeros


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what has nothing to multiply, and what would be a long program."""
    if plan.is_empty:
        return "an empty image: there is nothing to multiply"
    if plan.far:
        return plan.far
    n = additions(plan)
    return f"a kernel of {n} shifts: each is an operation of the program, {ADDITIONS} at most" if n > ADDITIONS else ""


def slow(plan: Plan, x: Any) -> str:
    """Say where XLA's own op is faster."""
    where = platform(x)
    if where != "cpu":
        return f"on a {where}, for which XLA's own op is tuned"
    if plan.groups > 1 or plan.rank > 2 or plan.out_channels < 8:
        return ""
    # Without a stride XLA's own op multiplies no zeros, and its columns are those of the input: forward and the input's
    # gradient take it 15 and 12 ms on the layer below, and this 21 and 37 (2 cores, JAX 0.10). With 3 output channels
    # they take 3.8 and 1.7 ms, and this 4.0 and 1.4; with groups or a third axis this is faster.
    if max(plan.stride) == 1 and additions(plan) >= 9:
        return "at stride 1: 21 ms against 15 for 64 channels of 128 x 128 and a kernel of 3 x 3"
    batch = x.shape[0] if x.ndim == plan.rank + 2 and type(x.shape[0]) is int else 1
    blocks = count_blocks(plan, batch, max(4, x.dtype.itemsize))
    if blocks > BLOCKS:
        return (
            f"in {blocks} blocks: 220 ms in 32 against 151 for two images of 512 channels, 32 x 32, and a 3 x 3 kernel"
        )
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return f"one matrix product for all {prod(plan.kernel)} taps, and {additions(plan)} additions by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The columns of a block, and what becomes of them."""
    return columns_workspace(plan, batch, max(4, itemsize))


@partial(jax.jit, static_argnums=0, inline=True)
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Widen, sum by columns."""
    # Rather than by the product's preferred type: its transpose would multiply two types.
    return finish(plan, x, by_columns(plan, wide(x), wide(weight)), bias)


conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv
