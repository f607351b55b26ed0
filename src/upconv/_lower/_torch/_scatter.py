"""The transposed convolution in tiles: columns, their addition by output phase, and the phases interleaved.

All tiles share two buffers: fresh memory costs more than the sums. Nothing here can be traced or differentiated.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import torch

from upconv._lower._torch._eager import is_channels_last
from upconv._lower._torch._own import WIDENED
from upconv._lower._torch._schedule import Step, Window, make_schedule
from upconv._lower._torch._tiles import Tile, is_direct
from upconv._plan import Plan

__all__ = ["scatter"]


def scatter(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y from x and the weight, one tile of it after the other."""
    work = torch.float32 if x.dtype in WIDENED else x.dtype
    batch, ins = x.shape[0], plan.in_channels // plan.groups
    y, image, x = _result(plan, x)
    if not batch:
        return y
    weight = weight.to(work).reshape(plan.groups, ins, -1, prod(plan.kernel))
    bias = None if bias is None else bias.to(work).reshape(plan.groups, -1)
    x, image = x.unflatten(1, (plan.groups, ins)), image.unflatten(1, (plan.groups, plan.out_channels // plan.groups))
    schedule = make_schedule(plan, batch, work.itemsize)
    columns, phases = (x.new_empty(numbers, dtype=work) for numbers in (schedule.columns, schedule.phases))
    if len(schedule.tiles) == 1:
        _fill(*schedule.tiles[0], (x, weight, bias, image), columns, phases)
        return y
    for tile, window, steps in schedule.tiles:
        arrays = (
            x[(tile.images, tile.groups, slice(None), *tile.inputs)],
            weight[tile.groups, :, tile.channels],
            None if bias is None else bias[tile.groups, tile.channels],
            image[(tile.images, tile.groups, tile.channels, *tile.outputs)],
        )
        _fill(tile, window, steps, arrays, columns, phases)
    return y


def _fill(tile: Tile, window: Window, steps: tuple[Step, ...], arrays: Any, columns: Any, phases: Any) -> None:
    """Compute one tile of y, (n, g, c, *out), from its x, (n, g, C_in, *size), its weight and its bias."""
    x, weight, bias, y = arrays
    direct, s, rank = is_direct(tile.plan), tile.plan.stride[0], tile.plan.rank
    matrix = weight.flatten(2).mT
    fill = bias if bias is None else bias.reshape(-1, *(1,) * 2 * rank)
    if not direct:
        sums = phases.as_strided(*window)
        sums.zero_() if fill is None else sums.copy_(fill)
    for step in steps:
        block = x if len(steps) == 1 else x[:, :, :, step.first : step.last]
        _multiply(tile, matrix, block.to(columns.dtype), columns)
        for source, place in step.moves:
            phases.as_strided(*place).add_(columns.as_strided(*source))
        if direct:
            made = columns.as_strided(*step.columns)
            if fill is not None:
                made += fill
            _interleave(tile.plan.stride, made, y if len(steps) == 1 else y[:, :, :, step.first * s : step.last * s])
    if not direct:
        _interleave(tile.plan.stride, sums, y)


def _multiply(tile: Tile, matrix: Any, block: Any, columns: Any) -> None:
    """Sum (g, M, C_in) and (n, g, C_in, *samples) over C_in."""
    (n, g, ins), (m, samples) = block.shape[:3], (matrix.shape[1], prod(block.shape[3:]))
    columns = columns[: n * g * m * samples]
    if ins == 1:
        torch.mul(matrix, block.reshape(n, g, 1, samples), out=columns.view(n, g, m, samples))
    elif tile.is_merged:
        block = block.permute(1, 2, 0, *range(3, block.ndim)).reshape(g, ins, n * samples)
        torch.bmm(matrix, block, out=columns.view(g, m, n * samples))
    elif n > 1:
        torch.bmm(matrix.expand(n, -1, -1), block.reshape(n, ins, samples), out=columns.view(n, m, samples))
    elif g > 1:
        torch.bmm(matrix, block.reshape(g, ins, samples), out=columns.view(g, m, samples))
    else:
        torch.mm(matrix[0], block.reshape(ins, samples), out=columns.view(m, samples))


def _result(plan: Plan, x: Any) -> tuple[Any, Any, Any]:
    """Where the result goes, itself and with channels first; and ``x`` with channels first."""
    shape, first = (x.shape[0], *plan.out, plan.out_channels), (0, plan.rank + 1, *range(1, plan.rank + 1))
    if plan.channels_last:
        y = x.new_empty(shape)
        return y, y.permute(first), x.movedim(-1, 1)
    if is_channels_last(x):
        y = x.new_empty(shape).permute(first)
    else:
        y = x.new_empty((x.shape[0], plan.out_channels, *plan.out))
    return y, y, x


def _interleave(stride: tuple[int, ...], phases: Any, y: Any) -> None:
    """Write phases, (n, g * c, *stride, *cells), to ``y``, (n, g, c, *out)."""
    rank, phases = len(stride), phases.unflatten(1, y.shape[1:3])
    order = [0, 1, 2, *(axis for n in range(rank) for axis in (3 + rank + n, 3 + n))]
    axes = [_whole_and_rest(n, s) for n, s in zip(y.shape[3:], stride, strict=True)]
    for parts in product(*axes):
        target = y[(..., *(slice(q * s, q * s + n * r) for (q, n, r), s in zip(parts, stride, strict=True)))]
        source = phases[(..., *(slice(r) for *_, r in parts), *(slice(q, q + n) for q, n, _ in parts))]
        for axis, (_, cells, some) in enumerate(parts):
            target = target.unflatten(3 + 2 * axis, (cells, some))
        target.copy_(source.permute(order))


def _whole_and_rest(n: int, s: int) -> list[tuple[int, int, int]]:
    """From which cell, how many cells, and how many phases of each: all whole cells, and the one that is cut short."""
    parts = [(0, n // s, s), (n // s, 1, n % s)]
    return [part for part in parts if part[1] and part[2]]
