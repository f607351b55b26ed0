"""GEMM and overlap-add, in tiles: NumPy has no transposed convolution of its own.

One matrix product turns a tile of input rows into columns, (C_out * taps, positions); each tap's columns are then added
into a window that holds the output phase by phase, so that every addition runs over contiguous samples whatever the
stride. Rows that no later tile reaches leave the window for the output, where the phases interleave; the few rows that
overlap the next tile stay. So the workspace does not grow with the image, every product is computed once, and every
output sample is written once, in its own dtype: float16 and bfloat16 are added in float32 and rounded there.

    window   (*stride, C_out, N, rows + overlap, *phase_size[1:])     axis 0 is streamed, the others are whole
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._plan import Plan

__all__ = ["lower", "reason", "refusal", "workspace"]

WIDE = {"float16": np.dtype("float32"), "bfloat16": np.dtype("float32")}
TILE_BYTES = 8 << 20


class _Tile(NamedTuple):
    """Images, output channels of one group, and input rows taken at a time."""

    images: int
    channels: int
    rows: int


def refusal(plan: Plan, x: Any) -> str:
    """Take everything."""
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "one BLAS product for each tile of rows, overlap-added by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """One tile's columns and its window."""
    itemsize = max(itemsize, 4)
    tile = _tile(plan, batch, itemsize)
    columns, window = _row_bytes(plan, itemsize)
    return tile.images * tile.channels * (tile.rows * columns + (tile.rows + _overlap(plan)) * window)


def lower(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Stream each tile of images and channels through its window."""
    x, weight = np.asarray(x), np.asarray(weight)
    batch, dtype = x.shape[0], x.dtype
    work = WIDE.get(dtype.name) or dtype.newbyteorder("=")
    weight = weight.astype(work, copy=False)
    if plan.channels_last:
        y = np.empty((batch, *plan.out, plan.out_channels), dtype)
        x, out = np.moveaxis(x, -1, 1), np.moveaxis(y, -1, 1)
    else:
        out = y = np.empty((batch, plan.out_channels, *plan.out), dtype)
    fill: Any = 0 if bias is None else np.asarray(bias).astype(work).reshape(-1, *(1,) * (plan.rank + 1))

    tile = _tile(plan, batch, work.itemsize)
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    for n in range(0, batch, tile.images):
        images = slice(n, n + tile.images)
        for group, first in product(range(plan.groups), range(0, outs, tile.channels)):
            last = min(first + tile.channels, outs)
            ours = slice(group * ins, group * ins + ins)
            matrix = weight[ours, first:last].reshape(ins, (last - first) * prod(plan.kernel)).T
            channels = slice(group * outs + first, group * outs + last)
            _stream(
                plan,
                x[images, ours],
                matrix,
                fill if bias is None else fill[channels],
                out[images, channels],
                tile.rows,
            )
    return y


def _stream(plan: Plan, x: Any, matrix: Any, fill: Any, out: Any, tile_rows: int) -> None:
    """Overlap-add all rows of ``x``, (n, C_in, *size), into ``out``, (n, C_out, *out), a tile of rows at a time."""
    n, channels = out.shape[:2]
    shifts = [tap.shift for tap in plan.taps[0]]
    low, high, inner = min(shifts), max(shifts), plan.phase_size[1:]
    begin = max(0, -high)  # rows before and after these are cropped whole
    end = min(plan.size[0], plan.phase_size[0] - low)
    if low > 0 or begin >= end or end + high < plan.phase_size[0]:
        out[...] = np.swapaxes(fill, 0, 1) if np.ndim(fill) else fill  # some output rows are reached by no tap
    if begin >= end:
        return
    overlap = high - low
    window = np.empty((*plan.stride, channels, n, min(tile_rows, end - begin) + overlap, *inner), matrix.dtype)
    window[...] = fill
    # One buffer for the columns of all tiles: fresh pages cost more than the product of a small tile.
    buffer = np.empty(len(matrix) * n * min(tile_rows, end - begin) * prod(plan.size[1:]), matrix.dtype)
    for p in range(begin, end, tile_rows):
        rows = min(tile_rows, end - p)
        positions = n * rows * prod(plan.size[1:])
        block = np.swapaxes(x[:, :, p : p + rows], 0, 1).reshape(x.shape[1], positions)
        columns = buffer[: len(matrix) * positions].reshape(len(matrix), positions)
        np.matmul(matrix, block.astype(matrix.dtype, copy=False), out=columns)
        columns = columns.reshape(channels, *plan.kernel, n, rows, *plan.size[1:])
        for tap, *others in product(*plan.taps):
            index = (slice(None), tap.a, *(other.a for other in others), slice(None), slice(None))
            phase = (tap.phase, *(other.phase for other in others), slice(None), slice(None))
            at = slice(tap.shift - low, tap.shift - low + rows)
            taken = (slice(other.start, other.stop) for other in others)
            given = (slice(other.at, other.at + other.stop - other.start) for other in others)
            window[(*phase, at, *given)] += columns[(*index, *taken)]
        done = rows if p + rows < end else rows + overlap
        _interleave(plan, window, out, p + low, done)
        if done == rows:
            window[(..., slice(0, overlap), *(slice(None) for _ in inner))] = window[
                (..., slice(rows, rows + overlap), *(slice(None) for _ in inner))
            ]
            window[(..., slice(overlap, None), *(slice(None) for _ in inner))] = fill


def _interleave(plan: Plan, window: Any, out: Any, q: int, rows: int) -> None:
    """Write the first rows of the window, rows ``q`` onwards of every phase, to their places in the output."""
    for phase in product(*map(range, plan.stride)):
        target = out[(..., *(slice(r, None, s) for r, s in zip(phase, plan.stride, strict=True)))]
        first, last = max(q, 0), min(q + rows, target.shape[2])
        if first < last:
            kept = (slice(0, size) for size in target.shape[3:])
            source = window[(*phase, slice(None), slice(None), slice(first - q, last - q), *kept)]
            target[:, :, first:last] = np.swapaxes(source, 0, 1)


def _overlap(plan: Plan) -> int:
    shifts = [tap.shift for tap in plan.taps[0]]
    return max(shifts) - min(shifts)


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
