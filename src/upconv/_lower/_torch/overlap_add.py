"""One matrix product gives the columns, what each tap makes of each sample; columns of one output are added.

Output ``q*s + r`` is sample ``q`` of phase ``r``, and all taps of one shift add to one window of their phases: an axis
takes one addition for each of its about k/s shifts, and none where the kernel is the stride. Then the phases interleave.
On a CPU PyTorch's own op is slow where it has few output channels or a stride, and has no fast path for float64.

All is written into buffers that the tiles of a call share: fresh memory costs more than the sums. So nothing here can be
traced, mapped or differentiated in forward mode; where a call is, PyTorch's own op stands in. Backward mode has the
other two verbs.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import torch

from upconv._lower._torch import _own
from upconv._lower._torch._schedule import additions, make_schedule
from upconv._lower._torch._tiles import Tile, is_direct
from upconv._plan import Plan

__all__ = ["conv_transpose", "reason", "refusal", "slow", "workspace"]

FLOATING = {torch.float32, torch.float64, torch.float16, torch.bfloat16}


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what is not on a CPU, and what PyTorch's op does not take, which may have to stand in."""
    if x.device.type not in ("cpu", "meta"):
        return f"an array on {x.device.type}: it is for a CPU"
    return _own.refusal(plan, x) if x.dtype in FLOATING else f"{x.dtype}: it is for real floating numbers"


def slow(plan: Plan, x: Any) -> str:
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    n = additions(plan)
    adds = "no addition" if is_direct(plan) else f"{n} addition{'s' * (n != 1)} by output phase"
    return f"matrix products for all {prod(plan.kernel)} taps, {adds}"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The columns of a tile, and the phases that they are added to."""
    itemsize = max(4, itemsize)
    schedule = make_schedule(plan, batch, itemsize)
    return (schedule.columns + schedule.phases) * itemsize


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Fill one tile of the output after the other."""
    if not _plain(x, weight, bias):
        return _own.conv_transpose(plan, x, weight, bias)
    return _tiled(plan, x, weight, bias)


def _tiled(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    work = torch.float32 if x.dtype in _own.WIDENED else x.dtype
    batch, ins = x.shape[0], plan.in_channels // plan.groups
    y, image, x = _result(plan, x)
    weight = weight.to(work).reshape(plan.groups, ins, -1, prod(plan.kernel))
    bias = None if bias is None else bias.to(work).reshape(plan.groups, -1)
    x, image = x.unflatten(1, (plan.groups, ins)), image.unflatten(1, (plan.groups, -1))
    schedule = make_schedule(plan, batch, work.itemsize)
    columns, phases = torch.empty(schedule.columns, dtype=work), torch.empty(schedule.phases, dtype=work)
    for tile, window, steps in schedule.tiles:
        block = x[(tile.images, tile.groups, slice(None), *tile.inputs)]
        matrix = weight[tile.groups, :, tile.channels].flatten(2).mT
        target = image[(tile.images, tile.groups, tile.channels, *tile.outputs)]
        fill = 0 if bias is None else bias[tile.groups, tile.channels].reshape(-1, *(1,) * 2 * plan.rank)
        direct = is_direct(tile.plan)
        if not direct:
            sums = phases.as_strided(*window)
            sums.zero_() if bias is None else sums.copy_(fill)
        for step in steps:
            made = columns.as_strided(*step.columns)
            _multiply(tile, matrix, block[:, :, :, step.first : step.last].to(work), columns)
            for source, place in step.moves:
                phases.as_strided(*place).add_(columns.as_strided(*source))
            if direct:
                s = plan.stride[0]
                made = made if bias is None else made.add_(fill)
                _interleave(tile, made, target[:, :, :, step.first * s : step.last * s])
        if not direct:
            _interleave(tile, sums, target)
    return y


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
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if x.ndim in formats and not x.is_contiguous() and x.is_contiguous(memory_format=formats[x.ndim]):
        y = x.new_empty(shape).permute(first)
    else:
        y = x.new_empty((x.shape[0], plan.out_channels, *plan.out))
    return y, y, x


def _interleave(tile: Tile, phases: Any, y: Any) -> None:
    """Write phases, (n, g * c, *stride, *cells), to ``y``, (n, g, c, *out): all whole cells of each axis, and the rest."""
    rank = tile.plan.rank
    order = [0, 1, 2, *(axis for n in range(rank) for axis in (3 + rank + n, 3 + n))]
    phases = phases.unflatten(1, y.shape[1:3])
    for parts in product(*map(_whole_and_rest, y.shape[3:], tile.plan.stride)):
        target = y[(..., *(slice(at, at + cells * some) for at, _, cells, some in parts))]
        source = phases[(..., *(slice(0, some) for *_, some in parts), *(slice(q, q + n) for _, q, n, _ in parts))]
        for axis, (_, _, cells, some) in enumerate(parts):
            target = target.unflatten(3 + 2 * axis, (cells, some))
        target.copy_(source.permute(order))


def _whole_and_rest(n: int, s: int) -> list[tuple[int, int, int, int]]:
    """Where in the output, from which cell, how many cells, and how many phases of each."""
    whole = n // s
    pieces = [(0, 0, whole, s), (whole * s, whole, 1, n - whole * s)]
    return [piece for piece in pieces if piece[2] and piece[3]]


def _plain(*arrays: Any) -> bool:
    """Whether nothing looks on but this call: no compiler, no transform, no mode, no subclass."""
    return (
        not torch.compiler.is_compiling()
        and all(array is None or type(array) in (torch.Tensor, torch.nn.Parameter) for array in arrays)
        and arrays[0].device.type == "cpu"
        and not torch._C._are_functorch_transforms_active()
        and torch.autograd.forward_ad._current_level < 0
    )
