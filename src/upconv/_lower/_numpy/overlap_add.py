"""GEMM and overlap-add, in tiles: NumPy has no transposed convolution of its own.

One matrix product turns a tile of input rows into columns, (C_out * taps, positions); each tap's columns are then added
into a window that holds the output phase by phase, so that every addition runs over contiguous samples whatever the
stride. Rows that no later tile reaches leave the window for the output, where the phases interleave; the few rows that
overlap the next tile stay; a row that is longer than a tile is halved first. So the workspace does not grow with the
image, every product is computed once, and every
output sample is written once, in its own dtype: float16 and bfloat16 are added in float32 and rounded there.

    window   (*stride, C_out, N, rows + overlap, *phase_size[1:])     axis 0 is streamed, the others are whole
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy._gather import conv, conv_weight
from upconv._lower._numpy._schedule import ALL, Schedule, make_schedule, row_bytes, too_long, work_dtype
from upconv._plan import Plan, part

__all__ = ["conv", "conv_transpose", "conv_weight", "reason", "refusal", "workspace"]


def refusal(plan: Plan, x: Any) -> str:
    """Take everything."""
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "one BLAS product for each tile of rows, overlap-added by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """One tile's columns and its window."""
    while halved := too_long(plan, max(itemsize, 4)):
        plan, _ = part(plan, halved, 0, plan.out[halved] - plan.out[halved] // 2)
    schedule = make_schedule(plan, batch, max(itemsize, 4))
    columns, window = row_bytes(plan, max(itemsize, 4))
    tile = schedule.tile
    return tile.images * tile.channels * (tile.rows * columns + (tile.rows + schedule.overlap) * window)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Stream each tile of images and channels through its window."""
    x, weight = np.asarray(x), np.asarray(weight)
    batch, dtype = x.shape[0], x.dtype
    work = work_dtype(dtype)
    weight = weight.astype(work, copy=False)
    if plan.channels_last:
        y = np.empty((batch, *plan.out, plan.out_channels), dtype)
        x, out = np.moveaxis(x, -1, 1), np.moveaxis(y, -1, 1)
    else:
        out = y = np.empty((batch, plan.out_channels, *plan.out), dtype)
    fill: Any = 0 if bias is None else np.asarray(bias).astype(work).reshape(-1, *(1,) * (plan.rank + 1))
    _tiles(plan, x, weight, fill, out)
    return y


def _tiles(plan: Plan, x: Any, weight: Any, fill: Any, out: Any) -> None:
    """Stream each tile; where not even one row of one channel fits, compute the halves of its longest axis."""
    batch, work = x.shape[0], weight.dtype
    halved = too_long(plan, work.itemsize)
    if halved:
        half = plan.out[halved] // 2
        for start, stop in ((0, half), (half, plan.out[halved])):
            taken, inputs = part(plan, halved, start, stop)
            along = (ALL,) * (halved + 2)
            _tiles(taken, x[(*along, inputs)], weight, fill, out[(*along, slice(start, stop))])
        return
    schedule = make_schedule(plan, batch, work.itemsize)
    tile, taps = schedule.tile, prod(plan.kernel)
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    for n in range(0, batch, tile.images):
        images = slice(n, n + tile.images)
        for group, first in product(range(plan.groups), range(0, outs, tile.channels)):
            last = min(first + tile.channels, outs)
            ours = slice(group * ins, group * ins + ins)
            matrix = weight[ours, first:last].reshape(ins, (last - first) * taps).T
            channels = slice(group * outs + first, group * outs + last)
            background = fill[channels] if np.ndim(fill) else fill
            _stream(plan, schedule, x[images, ours], matrix, background, out[images, channels])


def _stream(plan: Plan, schedule: Schedule, x: Any, matrix: Any, fill: Any, out: Any) -> None:
    """Overlap-add all rows of ``x``, (n, C_in, *size), into ``out``, (n, C_out, *out), a tile of rows at a time."""
    (n, channels), (_, _, tile_rows) = out.shape[:2], schedule.tile
    begin, end, overlap = schedule.begin, schedule.end, schedule.overlap
    if not schedule.covers:
        out[...] = np.swapaxes(fill, 0, 1) if np.ndim(fill) else fill
    if begin >= end:
        return
    tile_rows = min(tile_rows, end - begin)
    window = np.empty((*plan.stride, channels, n, tile_rows + overlap, *plan.phase_size[1:]), matrix.dtype)
    window[...] = fill
    # One buffer for the columns of all tiles: fresh pages cost more than the product of a small tile.
    area = prod(plan.size[1:])
    buffer = np.empty(len(matrix) * n * tile_rows * area, matrix.dtype)
    for p in range(begin, end, tile_rows):
        rows = min(tile_rows, end - p)
        block = x[:, :, p : p + rows].swapaxes(0, 1).reshape(x.shape[1], n * rows * area)
        columns = buffer[: len(matrix) * n * rows * area]
        np.matmul(matrix, block.astype(matrix.dtype, copy=False), out=columns.reshape(len(matrix), -1))
        columns = columns.reshape(channels, *plan.kernel, n, rows, *plan.size[1:])
        for column, phase, at, place in schedule.moves:
            target = window[(*phase, ALL, ALL, slice(at, at + rows), *place)]
            np.add(target, columns[column], out=target)
        done = rows if p + rows < end else rows + overlap
        _interleave(schedule, window, out, p + schedule.low, done)
        if p + rows < end:
            by_row = np.moveaxis(window, plan.rank + 2, 0)
            by_row[:overlap] = by_row[rows : rows + overlap]
            window[(*(ALL,) * (plan.rank + 2), slice(overlap, None))] = fill


def _interleave(schedule: Schedule, window: Any, out: Any, q: int, rows: int) -> None:
    """Write the first rows of the window, rows ``q`` onwards of every phase, to their places in the output."""
    for phase, places in schedule.phases:
        target = out[places]
        first, last = max(q, 0), min(q + rows, target.shape[2])
        if first < last:
            kept = [slice(0, size) for size in target.shape[3:]]
            target[:, :, first:last] = window[(*phase, ALL, ALL, slice(first - q, last - q), *kept)].swapaxes(0, 1)
