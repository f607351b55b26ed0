"""Columns by one matrix product, added by output phase; `_columns.py` tells how.

On a CPU XLA's own op is slow where it has groups or three axes, and its gradient of the kernel is slow everywhere. The
derivatives of this are matrix products too.
"""

from __future__ import annotations

from math import prod
from typing import Any

from upconv._lower._jax._choice import slow_overlap_add, slow_overlap_add_back
from upconv._lower._jax._columns import columns_workspace
from upconv._lower._jax._explicit import compiled
from upconv._lower._jax._phases import ADDITIONS, additions
from upconv._lower._jax._shared import finish, transposed
from upconv._lower._jax._tangents import columns, with_tangents_of_columns
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
    "slow_conv",
    "slow_conv_weight",
    "workspace",
]

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
    """Say where the phases, or XLA's own op, are faster."""
    return slow_overlap_add(plan, x)


def slow_conv(plan: Plan, y: Any) -> str:
    """Say where XLA's own op is faster on the way back."""
    return slow_overlap_add_back(plan, y)


slow_conv_weight = slow_conv


def reason(plan: Plan) -> str:
    """Say how."""
    return f"one matrix product for all {prod(plan.kernel)} taps, and {additions(plan)} additions by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The columns of a block, and what becomes of them."""
    return columns_workspace(plan, batch, max(4, itemsize))


# Operands are kept although unused, where no tap reaches the output: they say on which device the zeros lie.
@compiled
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Sum by columns."""
    return finish(plan, x, _by_columns(plan, x, weight), bias)


_by_columns = with_tangents_of_columns(columns)
conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv
