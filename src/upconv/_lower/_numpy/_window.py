"""GEMM and overlap-add, in tiles: NumPy has no transposed convolution of its own.

One matrix product turns a tile of input rows into columns, what each tap makes of each sample. The columns of all taps
that shift a sample by as much are added at once, into a window that holds the output phase by phase: additions run
over contiguous samples whatever the stride. Rows that no later tile reaches leave the window for the output, where the
phases interleave; the few that overlap the next tile stay. Where no two taps meet there is nothing to add.

So the workspace does not grow with the image, every product is computed once, no zero is multiplied, and every output
sample is written once, in its own dtype: float16 and bfloat16 are added in float32 and rounded there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy._few import few, is_few
from upconv._lower._numpy._grid import ALL, halves
from upconv._lower._numpy._operands import Operands, lifted, operands
from upconv._lower._numpy._schedule import Schedule, make_schedule, row_bytes, too_long
from upconv._lower._numpy._threads import buffer, cores, side_by_side
from upconv._plan import Plan

__all__ = ["conv_transpose", "workspace"]


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """Columns and window of a tile, for each thread."""
    plan, itemsize = lifted(plan)[0], max(itemsize, 4)
    while (cut := too_long(plan, itemsize)) is not None:
        (plan, *_), _ = halves(plan, cut)
    tile = make_schedule(plan, batch, itemsize).tile
    overlap = make_schedule(plan, batch, itemsize).grid[0] - plan.size[0]
    return cores() * tile.images * tile.groups * tile.channels * (tile.rows + overlap) * row_bytes(plan, itemsize)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Divide the call into tiles."""
    if is_few(plan, len(x)):
        return few(plan, x, weight, bias)
    y, ours = operands(plan, x, weight, bias)
    if ours is not None:
        side_by_side(_tiles(ours, share=ours.is_much()), wake=ours.is_much())
    return y


def _tiles(of: Operands, *, share: bool) -> Iterator[Any]:
    """The halves of the longest axis, where not even one row of one channel fits, or where one tile is all there is."""
    plan, x, weight, bias, out = of
    schedule = make_schedule(plan, len(x), weight.dtype.itemsize)
    size, steps = (len(x), *out.shape[1:3]), (schedule.tile.images, schedule.tile.groups, schedule.tile.channels)
    cut = too_long(plan, weight.dtype.itemsize)
    if cut is None and share and size == steps and cores() > 1:
        cut = max(range(plan.rank), key=plan.out.__getitem__)
    if cut is not None and plan.out[cut] > plan.stride[cut]:
        along = (ALL,) * (cut + 3)
        for taken, inputs, outputs in halves(plan, cut):
            yield from _tiles(Operands(taken, x[(*along, inputs)], weight, bias, out[(*along, outputs)]), share=False)
        return
    for at in product(*(range(0, n, step) for n, step in zip(size, steps, strict=True))):
        images, groups, channels = (slice(n, n + step) for n, step in zip(at, steps, strict=True))
        ours = Operands(
            plan,
            x[images, groups],
            weight[groups, :, channels],
            bias if bias is None else bias[groups, channels],
            out[images, groups, channels],
        )
        yield partial(_stream, schedule, ours)


def _stream(schedule: Schedule, of: Operands) -> None:
    """Overlap-add all rows of x into out, a tile of rows at a time."""
    plan, x, weight, bias, out = of
    if not schedule.covers or not x.size:
        out[...] = of.background(plan.rank)
    if not x.size:
        return
    (images, groups, ins), outs, size = x.shape[:3], weight.shape[2], plan.size[0]
    rows, overlap = min(schedule.tile.rows, size), schedule.grid[0] - size
    matrix = weight.reshape(groups, ins, -1).swapaxes(1, 2)
    taps, area = matrix.shape[1], images * prod(plan.size[1:])
    fill = of.background(2 * plan.rank + 1)
    window: Any = None
    if not schedule.disjoint:
        shape = (groups, outs, *plan.stride, rows + overlap, *schedule.grid[1:], images)
        window = buffer("window", shape, weight.dtype)
        window[...] = fill
    for p in range(0, size, rows):
        here = min(rows, size - p)
        block = x[:, :, :, p : p + here].transpose(1, 2, *range(3, x.ndim), 0).astype(weight.dtype, copy=False)
        columns = buffer("columns", (groups, taps, here * area), weight.dtype)
        # A product over one channel is none, and BLAS is slow at it.
        multiply = np.multiply if ins == 1 else np.matmul
        multiply(matrix, block.reshape(groups, ins, here * area), out=columns)
        columns = columns.reshape(groups, outs, *plan.kernel, here, *plan.size[1:], images)
        if schedule.disjoint:
            if bias is not None:
                columns += fill
            _interleave(schedule, plan, columns, out, p, here)
            continue
        for added, phases, at, place in schedule.additions:
            target = window[(*phases, slice(at, at + here), *place)]
            np.add(target, columns[added], out=target)
        done = here if p + here < size else here + overlap
        _interleave(schedule, plan, window, out, p, done)
        if p + here < size:
            by_row = np.moveaxis(window, plan.rank + 2, 0)
            by_row[:overlap] = by_row[here : here + overlap]
            window[(*(ALL,) * (plan.rank + 2), slice(overlap, None))] = fill


def _interleave(schedule: Schedule, plan: Plan, window: Any, out: Any, q: int, rows: int) -> None:
    """Write the first rows of the window, rows ``q`` onwards of every phase, to their places in the output."""
    s, lo, n = plan.stride[0], plan.lo[0], plan.out[0]
    for phases, residue, sources, targets in schedule.places:
        first, stop = max(q, -((residue - lo) // s)), min(q + rows, (n - 1 + lo - residue) // s + 1)
        if first < stop:
            begin = first * s + residue - lo
            place = out[(ALL, ALL, ALL, slice(begin, begin + (stop - first - 1) * s + 1, s), *targets)]
            samples = window[(*phases, slice(first - q, stop - q), *sources)]
            if schedule.folds:
                place = place.reshape(*place.shape[:-1], -1, samples.shape[2])
            place[...] = samples.transpose(schedule.order)
