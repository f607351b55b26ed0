"""What is added where in the tiles of a call: plain integers, worked out once for each plan and batch.

Windows are sizes, strides and an offset, because PyTorch takes several times as long to slice a small window as to add
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, product
from math import prod
from operator import mul
from typing import NamedTuple

from upconv._lower._torch._tiles import Tile, is_direct, make_tiles
from upconv._memory import remembered
from upconv._plan import Plan

__all__ = ["Run", "Schedule", "Step", "Window", "additions", "make_schedule"]

Ints = tuple[int, ...]
# Of all schedules: that of a large call by many taps may take 36 MiB alone.
KEPT_BYTES = 2**26


class Window(NamedTuple):
    """What `torch.as_strided` takes."""

    size: Ints
    stride: Ints
    offset: int


class Step(NamedTuple):
    """The columns of rows first:last, (n, g * c, *kernel, rows, ...), and their windows that are added to which."""

    first: int
    last: int
    columns: Window
    moves: tuple[tuple[Window, Window], ...]


class Schedule(NamedTuple):
    """The tiles, each with its phases, (n, g * c, *stride, *phase_size), and its steps; the largest of each kind."""

    tiles: tuple[tuple[Tile, Window, tuple[Step, ...]], ...]
    columns: int
    phases: int
    operand: int


class Run(NamedTuple):
    """Taps of one axis that have one shift: inputs start:stop land at start + shift of the phases from `phase` on."""

    tap: int
    taps: int
    phase: int
    shift: int
    start: int
    stop: int


@remembered(KEPT_BYTES)
def make_schedule(plan: Plan, batch: int, itemsize: int) -> Schedule:
    """Cut a call into tiles, and say what each adds."""
    tiles, columns, phases, operand = [], 0, 0, 0
    # Most tiles of a large call are alike: 0.5 GB by a kernel of 9 x 9 have 1,222,020 windows, of which 72,495 differ.
    known: dict[tuple[Plan, Ints], tuple[Window, tuple[Step, ...]]] = {}
    for tile in make_tiles(plan, batch, itemsize):
        alike = (tile.plan, tile.lengths)
        if alike not in known:
            target = _phases(tile)
            known[alike] = target, tuple(_steps(tile, target, itemsize))
        target, steps = known[alike]
        tiles.append((tile, target, steps))
        columns = max(columns, *(prod(step.columns.size) for step in steps), 0)
        phases = max(phases, tile.phases)
        operand = max(operand, tile.operand * tile.rows(itemsize) // max(1, tile.plan.size[0]))
    return Schedule(tuple(tiles), columns, phases, operand)


def additions(plan: Plan) -> int:
    """How many windows are added where one tile has all."""
    return prod(len(tuple(_runs(*axis))) for axis in _axes(plan))


def _axes(plan: Plan) -> Iterator[Ints]:
    return zip(plan.size, plan.kernel, plan.stride, plan.dilation, plan.lo, plan.phase_size, strict=True)


def _runs(i: int, k: int, s: int, d: int, lo: int, q: int) -> Iterator[Run]:
    # By arithmetic, from the first tap that takes any input on: a kernel of 1024 taps may have four shifts.
    tap = max(0, -((-lo - (1 - i) * s) // d))
    while tap < k:
        shift, phase = divmod(tap * d - lo, s)
        if shift >= q:
            return
        behind = min(k, -((-lo - (shift + 1) * s) // d))
        start, stop = max(0, -shift), min(i, q - shift)
        if start < stop:
            yield Run(tap, behind - tap, phase, shift, start, stop)
        tap = behind


def _packed(size: Ints) -> Ints:
    return (*accumulate(reversed(size[1:]), mul, initial=1),)[::-1]


def _phases(tile: Tile) -> Window:
    n, g, c = tile.lengths
    size = (n, g * c, *tile.plan.stride, *tile.plan.phase_size)
    return Window(size, _packed(size), 0)


def _columns(tile: Tile, rows: int) -> Window:
    n, g, c = tile.lengths
    size = (n, g * c, *tile.plan.kernel, rows, *tile.plan.size[1:])
    if not tile.is_merged:
        return Window(size, _packed(size), 0)
    rank = tile.plan.rank
    stride = _packed((*size[1 : rank + 2], n, *size[rank + 2 :]))
    return Window(size, (stride[rank + 1], *stride[: rank + 1], *stride[rank + 2 :]), 0)


def _steps(tile: Tile, phases: Window, itemsize: int) -> Iterator[Step]:
    rows, direct = tile.rows(itemsize), is_direct(tile.plan)
    runs = [] if direct else [tuple(_runs(*axis)) for axis in _axes(tile.plan)]
    for first in range(0, tile.plan.size[0], rows):
        last = min(first + rows, tile.plan.size[0])
        columns = _columns(tile, last - first)
        yield Step(first, last, columns, () if direct else tuple(_moves(tile, columns, phases, runs, first, last)))


def _moves(
    tile: Tile, columns: Window, phases: Window, runs: list[tuple[Run, ...]], first: int, last: int
) -> Iterator[tuple[Window, Window]]:
    rank, dilation = tile.plan.rank, tile.plan.dilation
    for row, *others in product(*runs):
        start, stop = max(row.start, first), min(row.stop, last)
        if start < stop:
            axes = (row._replace(start=start, stop=stop), *others)
            size = (*columns.size[:2], *(run.taps for run in axes), *(run.stop - run.start for run in axes))
            at = (*(run.tap for run in axes), start - first, *(run.start for run in others))
            to = (*(run.phase for run in axes), *(run.start + run.shift for run in axes))
            apart = (*phases.stride[:2], *map(mul, phases.stride[2:], dilation), *phases.stride[rank + 2 :])
            yield (
                Window(size, columns.stride, sum(map(mul, at, columns.stride[2:]))),
                Window(size, apart, sum(map(mul, to, phases.stride[2:]))),
            )
