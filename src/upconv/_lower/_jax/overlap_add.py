"""One matrix product gives the columns, what each tap makes of each sample; columns of one output are added.

Output ``q*s + r`` is sample ``q`` of phase ``r``, and all taps of one shift add to one window of their phases. So an
axis takes one addition for each of its about k/s shifts rather than for each tap: four for a kernel of 1024 at a stride
of 256. Zeros are appended to products and never multiplied, because 0 * inf would leak a NaN.

On a CPU XLA's own op is slow where it has groups or three axes, and its gradient of the kernel is slow everywhere. The
derivatives of this are matrix products too. Its operands are made matrices first: the transpose of a product of more
axes copies all columns once more. Where columns would be large, blocks of output channels take turns.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from upconv._lower._jax._phases import add_up, additions, interleave
from upconv._lower._jax._shared import finish, transposed, wide
from upconv._plan import Plan

__all__ = [
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

# Bytes of columns that are made at a time: with 4, 8 and 16 MiB calls took the same time, and 32 MiB is what all may.
COLUMNS = 2**24
# Each addition is an operation of the program, and the time to compile it grows with them.
ADDITIONS = 128


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what has nothing to multiply, and what would be a long program."""
    if plan.is_empty:
        return "an empty image: there is nothing to multiply"
    n = additions(plan)
    return f"a kernel of {n} shifts: each is an operation of the program, {ADDITIONS} at most" if n > ADDITIONS else ""


def slow(plan: Plan, x: Any) -> str:
    """Say where XLA's own op is faster."""
    platform = _platform(x)
    if platform != "cpu":
        return f"on a {platform}, for which XLA's own op is tuned"
    # Without a stride XLA's own op multiplies no zeros, and its columns are those of the input: forward, input's and
    # kernel's gradient take it 15, 12 and 60 ms on the layer below, and this 21, 37 and 60 (2 cores, JAX 0.10). With 3
    # output channels they take 3.8, 1.7 and 45 ms, and this 4.0, 1.4 and 9; with groups or a third axis this is faster.
    dense = plan.groups == 1 and plan.rank <= 2 and plan.out_channels >= 8
    if dense and max(plan.stride) == 1 and additions(plan) >= 9:
        return "at stride 1: 21 ms against 15 for 64 channels of 128 x 128 and a kernel of 3 x 3"
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return f"one matrix product for all {prod(plan.kernel)} taps, and {additions(plan)} additions by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The columns of a block, and the phases that they are added to."""
    itemsize = max(4, itemsize)
    phases = batch * plan.out_channels * prod(plan.phase_size) * prod(plan.stride)
    return (_columns_size(plan, batch) // _blocks(plan, batch, itemsize) + phases) * itemsize


@partial(jax.jit, static_argnums=0, inline=True)
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Multiply, add, interleave."""
    # Rather than by the product's preferred type: its transpose would multiply two types.
    image, weight = wide(x), wide(weight)
    if plan.channels_last:
        image = jnp.moveaxis(image, -1, 1)
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    batch = image.shape[0]
    # A batch that is not known while tracing counts as one image.
    blocks = _blocks(plan, batch if type(batch) is int else 1, image.dtype.itemsize)
    image = image.reshape(batch, plan.groups, ins, *plan.size)
    weight = weight.reshape(plan.groups, ins, blocks, outs // blocks, *plan.kernel)
    if blocks == 1:
        y = add_up(plan, _columns(plan, image, weight[:, :, 0]))
    else:
        y = lax.map(lambda block: add_up(plan, _columns(plan, image, block)), jnp.moveaxis(weight, 2, 0))
        y = jnp.moveaxis(y, 0, 1).reshape(plan.groups, outs, *y.shape[3:])
    return finish(plan, x, interleave(plan, y), bias)


conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv


def _columns(plan: Plan, x: Any, weight: Any) -> Any:
    """(N, groups, C, *size) and (groups, C, O, *kernel), summed over C: (groups, O, *kernel, N, *size)."""
    kernel, images = (*weight.shape[2:],), (x.shape[0], *plan.size)
    if plan.in_channels == plan.groups:  # a sum of one term, which XLA multiplies where it is added
        weight = weight.reshape(plan.groups, *kernel, *(1,) * len(images))
        return weight * jnp.moveaxis(x[:, :, 0], 0, 1).reshape(plan.groups, *(1,) * len(kernel), *images)
    x = jnp.moveaxis(x, 0, 2).reshape(*weight.shape[:2], prod(images))
    weight = weight.reshape(*weight.shape[:2], prod(kernel))
    if plan.groups == 1:
        columns = lax.dot_general(weight[0], x[0], (((0,), (0,)), ((), ())))
    else:
        columns = lax.dot_general(weight, x, (((1,), (1,)), ((0,), (0,))))
    return columns.reshape(plan.groups, *kernel, *images)


def _columns_size(plan: Plan, batch: int) -> int:
    return batch * plan.out_channels * prod(plan.kernel) * prod(plan.size)


def _blocks(plan: Plan, batch: int, itemsize: int) -> int:
    """The fewest blocks of output channels, all of one size, whose columns are few enough; of one channel at least."""
    outs = plan.out_channels // plan.groups
    least = _columns_size(plan, batch) * itemsize / COLUMNS
    return next(n for n in range(1, outs + 1) if outs % n == 0 and (n >= least or n == outs))


def _platform(x: Any) -> str:
    """Where the call runs; a traced array does not know, and goes where arrays go by default."""
    return jax.default_backend() if isinstance(x, jax.core.Tracer) else next(iter(x.devices())).platform
