"""One matrix product gives every tap's products, the columns; what lands on the same output is added.

Output ``q*s + r`` is phase ``r``, sample ``q``, and all taps of one shift add to the same window of their phases. So an
axis takes one addition for each of its ceil(k/s) shifts rather than for each tap: four for a kernel of 1024 at a stride
of 256. Zeros are appended to products and never multiplied, because 0 * inf would leak a NaN.

XLA has ops for all of this, which it also differentiates well: the transpose of the product is a product, that of the
additions gathers columns. Operands are made matrices first, because XLA copies the columns once more to transpose a
product of more axes. Where the columns would be large, blocks of output channels take turns.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby, product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from upconv._plan import Plan

__all__ = ["conv_transpose", "reason", "refusal", "workspace"]

# Columns that are made at a time.
BYTES = 2**24
# Additions are operations of the program, and XLA takes time for each: 4 s for 343.
ADDITIONS = 128


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what has nothing to multiply, and what would be a long program."""
    if plan.is_empty:
        return "an empty image: there is nothing to multiply"
    n = prod(len(_shifts(plan, axis)) for axis in range(plan.rank))
    return f"a kernel of {n} shifts: each is an operation, of {ADDITIONS} at most" if n > ADDITIONS else ""


def reason(plan: Plan) -> str:
    """Say how."""
    n = prod(len(_shifts(plan, axis)) for axis in range(plan.rank))
    return f"one matrix product for all {prod(plan.kernel)} taps, and {n} additions by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The columns of a block, and the phases that they are added to."""
    phases = batch * plan.out_channels * prod(plan.phase_size) * prod(plan.stride)
    return (_columns_size(plan, batch) // _blocks(plan, batch, itemsize) + phases) * max(4, itemsize)


@partial(jax.jit, static_argnums=0, inline=True)
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Multiply, add, interleave."""
    dtype = x.dtype
    if jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize == 2:
        # Before the product rather than by its preferred type: JAX transposes that one in two types, and raises.
        x, weight = x.astype(jnp.float32), weight.astype(jnp.float32)
    if plan.channels_last:
        x = jnp.moveaxis(x, -1, 1)
    batch, ins, outs = x.shape[0], plan.in_channels // plan.groups, plan.out_channels // plan.groups
    blocks = _blocks(plan, batch if type(batch) is int else 1, x.dtype.itemsize)
    x = x.reshape(batch, plan.groups, ins, *plan.size)
    weight = weight.reshape(plan.groups, ins, blocks, outs // blocks, *plan.kernel)
    if blocks == 1:
        y = _phases(plan, x, weight[:, :, 0])
    else:
        y = lax.map(lambda block: _phases(plan, x, block), jnp.moveaxis(weight, 2, 0))
        y = jnp.moveaxis(y, 0, 1).reshape(plan.groups, outs, *y.shape[3:])
    y = _interleave(plan, y)
    if bias is not None:
        y = y + (bias if plan.channels_last else bias.reshape(-1, *(1,) * plan.rank)).astype(y.dtype)
    return y.astype(dtype)


def _columns_size(plan: Plan, batch: int) -> int:
    return batch * plan.out_channels * prod(plan.kernel) * prod(plan.size)


def _blocks(plan: Plan, batch: int, itemsize: int) -> int:
    """The fewest blocks of output channels, of one size, whose columns are small enough; a channel at the least."""
    outs = plan.out_channels // plan.groups
    least = _columns_size(plan, batch) * max(4, itemsize) / BYTES
    return next(n for n in range(1, outs + 1) if outs % n == 0 and (n >= least or n == outs))


def _shifts(plan: Plan, axis: int) -> list[tuple[int, int, int]]:
    """Shift, first phase and number of taps of each run of taps that have one shift."""
    runs = ((shift, list(taps)) for shift, taps in groupby(plan.taps[axis], key=lambda tap: tap.shift))
    return [(shift, taps[0].phase, len(taps)) for shift, taps in runs]


def _columns(plan: Plan, x: Any, weight: Any) -> Any:
    """(N, groups, C, *size) and (groups, C, O, *kernel) to (groups, O, *kernel, N, *size), summed over C."""
    shape = (*weight.shape[:1], *weight.shape[2:], x.shape[0], *plan.size)
    if plan.in_channels == plan.groups:  # a sum of one term: XLA multiplies it where it is added
        taps = weight.reshape(*shape[: 2 + plan.rank], *(1,) * (1 + plan.rank))
        return taps * jnp.moveaxis(x[:, :, 0], 0, 1).reshape(plan.groups, *(1,) * (1 + plan.rank), *shape[-1 - plan.rank :])
    x = jnp.moveaxis(x, 0, 2).reshape(*weight.shape[:2], x.shape[0] * prod(plan.size))
    weight = weight.reshape(*weight.shape[:2], prod(weight.shape[2:]))
    if plan.groups == 1:  # a batch of one product is slower than the product
        return lax.dot_general(weight[0], x[0], (((0,), (0,)), ((), ()))).reshape(shape)
    return lax.dot_general(weight, x, (((1,), (1,)), ((0,), (0,)))).reshape(shape)


def _phases(plan: Plan, x: Any, weight: Any) -> Any:
    """Add the columns up by output phase: (groups, O, *stride, N, *phase_size)."""
    columns = _columns(plan, x, weight)
    every = slice(None)
    y = jnp.zeros((*columns.shape[:2], *plan.stride, x.shape[0], *plan.phase_size), columns.dtype)
    for runs, part in _parts(plan, columns):
        at, taken, landing = [], [], []
        for (shift, phase, taps), i, q, d in zip(runs, plan.size, plan.phase_size, plan.dilation, strict=True):
            start = max(0, -shift)
            stop = max(start, min(i, q - shift))
            at.append(slice(phase, phase + (taps - 1) * d + 1))
            taken.append(slice(start, stop))
            landing.append(slice(start + shift, stop + shift))
        if any(window.start == window.stop for window in taken):
            continue
        y = y.at[every, every, *at, every, *landing].add(
            part[(..., *taken)], mode="promise_in_bounds", unique_indices=True, indices_are_sorted=True
        )
    return y


def _parts(plan: Plan, columns: Any) -> list[tuple[Any, Any]]:
    """Split the taps of each axis by their shift, and spread them over the phases where the kernel is dilated."""
    parts = [((), columns)]
    for axis, d in enumerate(plan.dilation):
        runs = _shifts(plan, axis)
        sizes = [taps for _, _, taps in runs]
        parts = [
            ((*before, run), piece)
            for before, part in parts
            for run, piece in zip(runs, lax.split(part, sizes, axis=2 + axis), strict=True)
        ]
        if d > 1:
            parts = [(runs, _spread(part, 2 + axis, d)) for runs, part in parts]
    return parts


def _spread(part: Any, axis: int, d: int) -> Any:
    """Append d - 1 zeros after each tap but the last."""
    if part.shape[axis] == 1:
        return part
    pads = [(0, 0, d - 1 if n == axis else 0) for n in range(part.ndim)]
    return lax.pad(part, jnp.zeros((), part.dtype), pads)


def _interleave(plan: Plan, y: Any) -> Any:
    """Lay phase r of each axis at samples r, r + s, r + 2s, ..."""
    rank = plan.rank
    axes = [n for axis in range(rank) for n in (3 + rank + axis, 2 + axis)]
    y = y.transpose(2 + rank, *axes, 0, 1) if plan.channels_last else y.transpose(2 + rank, 0, 1, *axes)
    size = tuple(q * s for q, s in zip(plan.phase_size, plan.stride, strict=True))
    kept = tuple(slice(0, n) for n in plan.out)
    if plan.channels_last:
        return y.reshape(y.shape[0], *size, plan.out_channels)[(slice(None), *kept)]
    return y.reshape(y.shape[0], plan.out_channels, *size)[(..., *kept)]
