"""GEMM and overlap-add, in tiles: NumPy has no transposed convolution of its own.

One matrix product turns a tile of input rows into columns, (C_out * taps, positions); each tap's columns are then added
into a window that holds the output phase by phase, so that every addition runs over contiguous samples whatever the
stride. Rows that no later tile reaches leave the window for the output, where the phases interleave; the few rows that
overlap the next tile stay. So the workspace does not grow with the image, every product is computed once, and every
output sample is written once, in its own dtype: float16 and bfloat16 are added in float32 and rounded there.

    window   (*stride, C_out, N, rows + overlap, *phase_size[1:])     axis 0 is streamed, the others are whole
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._plan import Plan

__all__ = ["lower", "reason", "refusal", "workspace"]

TILE_BYTES = 8 << 20
ALL = slice(None)
Index = tuple[Any, ...]


class _Tile(NamedTuple):
    """Images, output channels of one group, and input rows taken at a time."""

    images: int
    channels: int
    rows: int


class _Move(NamedTuple):
    """One tap: ``columns[column]`` is added to one phase of the window, from row ``at`` on, at ``place`` in a row."""

    column: Index
    phase: Index
    at: int
    place: Index


class _Schedule(NamedTuple):
    """All that follows from the plan, made once: a call on tiny arrays costs little else."""

    tile: _Tile
    begin: int  # rows before `begin` and from `end` on are cropped whole
    end: int
    low: int  # input row p reaches the rows p + low to p + low + overlap of the phases
    overlap: int
    covers: bool  # whether every row of the output is written
    moves: tuple[_Move, ...]
    phases: tuple[tuple[Index, Index], ...]  # a phase, and its places in the output


def refusal(plan: Plan, x: Any) -> str:
    """Take everything."""
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "one BLAS product for each tile of rows, overlap-added by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """One tile's columns and its window."""
    schedule = _schedule(plan, batch, max(itemsize, 4))
    columns, window = _row_bytes(plan, max(itemsize, 4))
    tile = schedule.tile
    return tile.images * tile.channels * (tile.rows * columns + (tile.rows + schedule.overlap) * window)


def lower(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Stream each tile of images and channels through its window."""
    x, weight = np.asarray(x), np.asarray(weight)
    batch, dtype = x.shape[0], x.dtype
    work = _work(dtype)
    weight = weight.astype(work, copy=False)
    if plan.channels_last:
        y = np.empty((batch, *plan.out, plan.out_channels), dtype)
        x, out = np.moveaxis(x, -1, 1), np.moveaxis(y, -1, 1)
    else:
        out = y = np.empty((batch, plan.out_channels, *plan.out), dtype)
    fill: Any = 0 if bias is None else np.asarray(bias).astype(work).reshape(-1, *(1,) * (plan.rank + 1))

    schedule = _schedule(plan, batch, work.itemsize)
    tile, taps = schedule.tile, prod(plan.kernel)
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    for n in range(0, batch, tile.images):
        images = slice(n, n + tile.images)
        for group, first in product(range(plan.groups), range(0, outs, tile.channels)):
            last = min(first + tile.channels, outs)
            ours = slice(group * ins, group * ins + ins)
            matrix = weight[ours, first:last].reshape(ins, (last - first) * taps).T
            channels = slice(group * outs + first, group * outs + last)
            background = fill if bias is None else fill[channels]
            _stream(plan, schedule, x[images, ours], matrix, background, out[images, channels])
    return y


def _stream(plan: Plan, schedule: _Schedule, x: Any, matrix: Any, fill: Any, out: Any) -> None:
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


def _interleave(schedule: _Schedule, window: Any, out: Any, q: int, rows: int) -> None:
    """Write the first rows of the window, rows ``q`` onwards of every phase, to their places in the output."""
    for phase, places in schedule.phases:
        target = out[places]
        first, last = max(q, 0), min(q + rows, target.shape[2])
        if first < last:
            kept = [slice(0, size) for size in target.shape[3:]]
            target[:, :, first:last] = window[(*phase, ALL, ALL, slice(first - q, last - q), *kept)].swapaxes(0, 1)


@lru_cache(maxsize=64)
def _work(dtype: Any) -> Any:
    """The dtype to add in; bfloat16 goes by its name, because it is not NumPy's own."""
    return np.dtype("float32") if dtype.name in ("float16", "bfloat16") else dtype.newbyteorder("=")


@lru_cache(maxsize=512)
def _schedule(plan: Plan, batch: int, itemsize: int) -> _Schedule:
    shifts = [tap.shift for tap in plan.taps[0] if tap.start < tap.stop] or [0]
    low, high = min(shifts), max(shifts)
    begin = max(0, -high)
    end = max(begin, min(plan.size[0], plan.phase_size[0] - low))
    moves = [
        _Move(
            column=(ALL, *(tap.a for tap in taps), ALL, ALL, *(slice(tap.start, tap.stop) for tap in taps[1:])),
            phase=tuple(tap.phase for tap in taps),
            at=taps[0].shift - low,
            place=tuple(slice(tap.at, tap.at + tap.stop - tap.start) for tap in taps[1:]),
        )
        for taps in product(*plan.taps)
        if all(tap.start < tap.stop for tap in taps)
    ]
    phases = [
        (phase, (ALL, ALL, *(slice(r, None, s) for r, s in zip(phase, plan.stride, strict=True))))
        for phase in product(*map(range, plan.stride))
    ]
    if not moves:
        end = begin
    covers = begin < end and low <= 0 and end + high >= plan.phase_size[0]
    return _Schedule(_tile(plan, batch, itemsize), begin, end, low, high - low, covers, tuple(moves), tuple(phases))


def _row_bytes(plan: Plan, itemsize: int) -> tuple[int, int]:
    """Bytes of columns and of window that one row of one image and output channel takes."""
    columns = prod(plan.kernel) * prod(plan.size[1:]) * itemsize
    return columns, prod(plan.stride) * prod(plan.phase_size[1:]) * itemsize


def _tile(plan: Plan, batch: int, itemsize: int) -> _Tile:
    """Take as many rows as fit, then as many images; where not even one row of all channels fits, fewer channels."""
    row = max(1, sum(_row_bytes(plan, itemsize)))
    channels = max(1, min(plan.out_channels // plan.groups, TILE_BYTES // row))
    rows = max(1, min(plan.size[0], TILE_BYTES // (row * channels)))
    images = max(1, min(batch, TILE_BYTES // (row * channels * rows))) if rows >= plan.size[0] else 1
    return _Tile(images, channels, rows)
