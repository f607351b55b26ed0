"""Gather and GEMM, in tiles: the two ways back from the images that overlap-add connects, along its own schedule.

Where overlap-add adds columns up in a window and interleaves its phases, these take the image apart by phase, and copy
each shift of the window to the columns of its taps:

    x      = weight, (C_in, C_out * taps)  @  columns
    weight = x, (C_in, positions)  @  columns.T, summed over the tiles

What was cropped is zero in the window. Because 0 * inf would leak a NaN out of its receptive field, a weight or an x
that is not finite goes tap by tap instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._by_tap import conv_by_tap, conv_weight_by_tap
from upconv._lower._numpy._grid import ALL, halves_of_input, work_dtype
from upconv._lower._numpy._operands import Operands, grouped, is_finite
from upconv._lower._numpy._schedule import LONGEST_ROW, Schedule, make_schedule, too_long
from upconv._lower._numpy._threads import buffer, cores, side_by_side
from upconv._plan import Plan

__all__ = ["conv", "conv_weight"]


# Bytes of a weight, which is not made once more for the other thread where the input has fewer positions than channels:
# threads divide these, and each gathers all columns, 6.2 ms in place of 10.0 (istft in float64, 2 cores).
LARGE = 2**22


class _Tile(NamedTuple):
    """Rows ``p`` to ``p + rows`` of some images and groups."""

    schedule: Schedule
    of: Operands  # of these images and groups
    groups: slice
    p: int
    rows: int

    def x(self) -> Any:
        """View (groups, C_in, rows, *size[1:], N)."""
        x = self.of.x[:, :, :, self.p : self.p + self.rows]
        return x.transpose(1, 2, *range(3, x.ndim), 0)


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Fill x, a tile at a time, from all output channels."""
    if not is_finite(weight):
        return conv_by_tap(plan, y, weight, bias)
    x = np.empty((len(y), *plan.sample_shape), y.dtype)
    of = grouped(plan, x, weight, None, y)
    fill = None if bias is None else np.asarray(bias).astype(of.weight.dtype).reshape(plan.groups, -1)
    if of.x.size < x.size or not of.out.size or not of.x.size:
        x[...] = 0 if bias is None else np.asarray(bias).reshape(-1, *(1,) * (0 if plan.channels_last else plan.rank))
    if of.x.size and of.out.size:
        side_by_side((partial(_conv_tile, tile, fill) for tile in _tiles(of)), wake=of.is_much())
    return x


def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
    """Add all tiles to the weight: each thread to channels of its own, of the output or, where few, of the input.

    But to a weight of its own where that costs less than to gather all columns in each thread.
    """
    if not is_finite(x):
        return conv_weight_by_tap(plan, x, y)
    weight = np.zeros(plan.weight_shape, work_dtype(x.dtype))
    of = grouped(plan, x, weight, None, y)
    if of.x.size and of.out.size:
        tiles = list(_tiles(of))
        (ins, outs), step = of.weight.shape[1:3], tiles[0].schedule.tile.channels
        channels = [slice(c, min(c + step, outs)) for c in range(0, outs, step)]
        groups = {tile.groups.start: tile.groups for tile in tiles}
        other: Any = None
        if len(channels) * len(groups) >= cores():
            by_group = ([t for t in tiles if t.groups == ours] for ours in groups.values())
            tasks = [partial(_conv_weight_tiles, some, [c], of.weight) for some in by_group for c in channels]
        elif of.weight.nbytes >= LARGE and ins > len(x) * prod(of.plan.size):
            n = -(-ins // cores())
            shares = [slice(c, min(c + n, ins)) for c in range(0, ins, n)]
            tasks = [partial(_conv_weight_tiles, tiles, channels, of.weight, some) for some in shares]
        else:
            other = np.zeros_like(of.weight)
            totals = enumerate((of.weight, other))
            tasks = [partial(_conv_weight_tiles, tiles[n::2], channels, total) for n, total in totals]
        side_by_side(tasks, wake=of.is_much())
        if other is not None:
            of.weight[...] += other
    return weight.astype(x.dtype, copy=False)


def _tiles(of: Operands, *, share: bool = True) -> Iterator[_Tile]:
    """Tiles of images, groups and rows; those of two halves of x, where a row is too long, or one tile is all."""
    plan, (batch, groups, ins), itemsize = of.plan, of.x.shape[:3], of.weight.dtype.itemsize
    schedule = make_schedule(plan, batch, itemsize)
    row = ins * prod(plan.size[1:]) * itemsize
    left = max(1, LONGEST_ROW // 4 // row)  # what a product gives, and what it is added to, are workspace too
    n = min(schedule.tile.images, left)
    g = min(schedule.tile.groups, max(1, left // n))
    rows = min(schedule.tile.rows, max(1, left // (n * g)))
    cut = too_long(plan, itemsize)
    if cut is None and row > LONGEST_ROW:
        cut = max(range(1, plan.rank), key=plan.size.__getitem__)
    if cut is None and share and (n, g, rows) == (batch, groups, plan.size[0]):
        cut = max(range(plan.rank), key=plan.size.__getitem__) if of.is_much() else None
    if cut is not None and plan.size[cut] > 1:
        for half, inputs in halves_of_input(plan, cut):
            yield from _tiles(of._replace(plan=half, x=of.x[(*(ALL,) * (cut + 3), inputs)]), share=False)
        return
    for image, group, p in product(range(0, batch, n), range(0, groups, g), range(0, plan.size[0], rows)):
        images, ours = slice(image, image + n), slice(group, group + g)
        some = of._replace(x=of.x[images, ours], weight=of.weight[ours], out=of.out[images, ours])
        yield _Tile(schedule, some, ours, p, min(rows, plan.size[0] - p))


def _conv_tile(tile: _Tile, fill: Any) -> None:
    target, weight = tile.x(), tile.of.weight
    groups, ins, outs = weight.shape[:3]
    total: Any = None
    for first in range(0, outs, tile.schedule.tile.channels):
        some = slice(first, first + tile.schedule.tile.channels)
        found = weight[:, :, some].reshape(groups, ins, -1) @ _columns(tile, some)
        total = found if total is None else np.add(total, found, out=total)
    if fill is not None:
        total += fill[tile.groups, :, None]
    target[...] = total.reshape(target.shape)


def _conv_weight_tiles(tiles: list[_Tile], channels: list[slice], weight: Any, ins: slice = ALL) -> None:
    for tile in tiles:
        x = tile.x()[:, ins].astype(weight.dtype, copy=False)
        x = x.reshape(*x.shape[:2], -1)
        for some in channels:
            total = weight[tile.groups, ins, some]
            columns = _columns(tile, some).swapaxes(1, 2)
            found = buffer("product", (*x.shape[:2], columns.shape[2]), weight.dtype)
            total += np.matmul(x, columns, out=found).reshape(total.shape)


def _columns(tile: _Tile, channels: slice) -> Any:
    """Gather (groups, C_out * taps, positions): what the positions of a tile see of y through each tap."""
    schedule, plan, y = tile.schedule, tile.of.plan, tile.of.out[:, :, channels]
    images, groups, outs = y.shape[:3]
    overlap, work = schedule.grid[0] - plan.size[0], tile.of.weight.dtype
    columns = buffer("columns", (groups, outs, *plan.kernel, tile.rows, *plan.size[1:], images), work)
    if schedule.disjoint:
        columns[...] = 0
        _deinterleave(schedule, plan, columns, y, tile.p, tile.rows)
    else:
        rows = tile.rows + overlap
        window = buffer("window", (groups, outs, *plan.stride, rows, *schedule.grid[1:], images), work)
        window[...] = 0
        _deinterleave(schedule, plan, window, y, tile.p, rows)
        for added, phases, at, place in schedule.additions:
            columns[added] = window[(*phases, slice(at, at + tile.rows), *place)]
    return columns.reshape(groups, outs * prod(plan.kernel), -1)


def _deinterleave(schedule: Schedule, plan: Plan, window: Any, y: Any, q: int, rows: int) -> None:
    """Take rows ``q`` to ``q + rows`` of every phase from their places in y."""
    s, lo, n = plan.stride[0], plan.lo[0], plan.out[0]
    back = [0] * len(schedule.order)
    for axis, of in enumerate(schedule.order):
        back[of] = axis
    for phases, residue, sources, targets in schedule.places:
        first, stop = max(q, -((residue - lo) // s)), min(q + rows, (n - 1 + lo - residue) // s + 1)
        if first < stop:
            begin = first * s + residue - lo
            place = y[(ALL, ALL, ALL, slice(begin, begin + (stop - first - 1) * s + 1, s), *targets)]
            samples = window[(*phases, slice(first - q, stop - q), *sources)]
            if schedule.folds:
                place = place.reshape(*place.shape[:-1], -1, samples.shape[2])
            samples[...] = place.transpose(back)
