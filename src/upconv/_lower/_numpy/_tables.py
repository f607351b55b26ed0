"""What the compiled loops of a direct convolution read in place of a plan: whole numbers, worked out once.

Samples of the grid are lines of one pitch, those of all images one after the other. A plane holds them for one channel
and phase of the input; a term of a sum takes a plane from an offset on; a row of the result is a channel and a phase.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product, takewhile
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._grid import grid_of, kept
from upconv._lower._numpy._phases import classes
from upconv._plan import Plan

__all__ = ["ROWS", "TILE_BYTES", "Sizes", "Steps", "Tables", "backward", "forward", "plain"]

ROWS = 8  # that are computed side by side
# Of the input, laid out: it stays in the L2 cache beside what it is multiplied with.
TILE_BYTES = 1 << 20
# To be divided between threads: of eight, which took 3 % longer on ten layers, a slow core keeps the others waiting.
PIECES = 12


class Steps(NamedTuple):
    """From one sample of an array to the next image, group, channel and column; and where the first one is."""

    image: int
    group: int
    channel: int
    column: int
    base: int


class Sizes(NamedTuple):
    images: int
    rows: int  # lines of each
    pitch: int  # samples of a line
    lines: int  # of a piece
    before: int  # lines above a piece that it reads
    plane: int  # samples of a plane of a piece
    planes: int
    parts: int  # into which the rows are divided
    packed: int  # weights of a group, as they are read
    pieces: int  # of a group
    in_order: int  # one, where terms that follow each other are neighbours in the weight


class Tables(NamedTuple):
    """Arrays of int64."""

    sizes: Sizes
    starts: Any  # of each term, where its samples begin
    terms: Any  # of each term, where in the weight
    blocks: Any  # (first term, last, where in the packed weight, rows) of rows that are computed side by side
    rows: Any  # (phase, channel, where in the weight, rows from here on that are written side by side) of each
    sources: Any  # (first column, last, where in the input) of each phase, then where each of its lines is, or -1
    targets: Any  # the same in the output


def plain(tables: Tables) -> tuple[Any, ...]:
    """Without the names: of a tuple that has them, Numba takes 5 microseconds to find out what it is."""
    return (tuple(tables.sizes), *tables[1:])


# Few are kept, because they may be a megabyte each.
@lru_cache(maxsize=64)
def forward(plan: Plan, batch: int, x: tuple[int, ...], y: tuple[int, ...], itemsize: int) -> Tables:
    """The output from the input: the phases of one class have their terms in common.

    ``x`` and ``y`` are steps from a sample of the arrays to the next along each spatial axis.
    """
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    taps, pitch, tap = prod(plan.kernel), _pitch(grid_of(plan)), _pitch(plan.kernel)
    terms: list[tuple[int, int, int]] = []
    rows: list[tuple[int, int, list[list[int]]]] = []
    phases: list[list[int]] = []
    for runs in classes(plan):
        begin = len(terms)
        for c, index in product(range(ins), product(*(range(len(run.shifts)) for run in runs))):
            offset = -sum(run.shifts[m] * p for run, m, p in zip(runs, index, pitch, strict=True))
            a = sum((run.tap + m * run.step) * t for run, m, t in zip(runs, index, tap, strict=True))
            terms.append((c, offset, c * outs * taps + a))
        of_class = []
        for index in product(*(range(run.phases) for run in runs)):
            a = sum(n * t for n, t in zip(index, tap, strict=True))
            line = len(phases) - index[-1]  # phases that differ in the last axis alone are rows of one block
            of_class += [(o * runs[-1].phases // ROWS, line, o, len(phases), o * taps + a) for o in range(outs)]
            phases.append(_phase(plan, [run.first + n for run, n in zip(runs, index, strict=True)], y))
        rows.append((begin, len(terms), [row for _, *row in sorted(of_class)]))
    return _tables(plan, batch, itemsize, ins, terms, rows, [_image(plan, x)], phases)


@lru_cache(maxsize=64)
def backward(plan: Plan, batch: int, x: tuple[int, ...], y: tuple[int, ...], itemsize: int, beside: int = 0) -> Tables:
    """The input from the output: one sum over all channels and taps, each of the phase that the tap reaches.

    For the weight from both, so many planes of x are laid out ``beside`` those of y.
    """
    ins, outs, taps = plan.in_channels // plan.groups, plan.out_channels // plan.groups, prod(plan.kernel)
    axes = zip(plan.kernel, plan.dilation, plan.stride, strict=True)
    reached = product(*(sorted({a * d % s for a in range(k)}) for k, d, s in axes))
    number = {residues: n for n, residues in enumerate(reached)}
    terms = []
    for o, (a, tap) in product(range(outs), enumerate(product(*map(range, plan.kernel)))):
        at = [n * d for n, d in zip(tap, plan.dilation, strict=True)]
        residues = tuple(n % s for n, s in zip(at, plan.stride, strict=True))
        offset = sum(n // s * p for n, s, p in zip(at, plan.stride, _pitch(grid_of(plan)), strict=True))
        terms.append((o * len(number) + number[residues], offset, o * taps + a))
    rows = [(0, len(terms), [[c, c, 0, c * outs * taps] for c in range(ins)])]
    phases = [_phase(plan, residues, y) for residues in number]
    return _tables(plan, batch, itemsize, outs * len(number), terms, rows, phases, [_image(plan, x)], beside)


def _pitch(size: tuple[int, ...]) -> list[int]:
    return [prod(size[axis + 1 :]) for axis in range(len(size))]


def _image(plan: Plan, steps: tuple[int, ...]) -> list[int]:
    """Where the lines of the image are."""
    axes = zip(grid_of(plan)[:-1], plan.size, steps, strict=False)
    return [0, plan.size[-1], 0, *_lines([[q * step if q < i else -1 for q in range(n)] for n, i, step in axes])]


def _phase(plan: Plan, residues: Any, steps: tuple[int, ...]) -> list[int]:
    """Where the lines of a phase of the output are."""
    grid, places = grid_of(plan), []
    for n, r, s, lo, out, step in zip(grid[:-1], residues, plan.stride, plan.lo, plan.out, steps, strict=False):
        outputs = (q * s + r - lo for q in range(n))
        places.append([o * step if 0 <= o < out else -1 for o in outputs])
    columns, place = kept(plan, plan.rank - 1, slice(0, grid[-1]), residues[-1])
    return [columns.start, columns.stop, place.start * steps[-1], *_lines(places)]


def _lines(axes: list[list[int]]) -> list[int]:
    return [-1 if min(places, default=0) < 0 else sum(places) for places in product(*axes)]


def _together(rows: list[list[int]]) -> list[list[int]]:
    """Say of each row how many, from it on, are phases of one channel that lie beside each other in the output."""
    found: list[list[int]] = []
    for n, (line, channel, phase, at) in enumerate(rows):
        more = takewhile([line, channel].__eq__, (row[:2] for row in rows[n:]))
        found.append([phase, channel, at, len(list(more))])
    return found


def _tables(
    plan: Plan,
    batch: int,
    itemsize: int,
    planes: int,
    terms: Any,
    rows: Any,
    sources: Any,
    targets: Any,
    beside: int = 0,
) -> Tables:
    *outer, pitch = grid_of(plan)
    lines, offsets = batch * prod(outer), [offset for _, offset, _ in terms]
    before, after = -(min(offsets) // pitch), -(-max(offsets) // pitch)
    most = max(1, TILE_BYTES // ((planes + beside) * pitch * itemsize))
    # Short pieces read the lines above them more often than they need to be; an odd one leaves a thread without work.
    pieces = max(-(-lines // most), min(PIECES, lines // 8), 1)
    height = -(-lines // (pieces + pieces % 2 if pieces > 1 else 1))
    plane = (before + height + after) * pitch
    blocks, of_block, packed = [], [], 0
    for begin, end, of_class in rows:
        for first in range(0, len(of_class), ROWS):
            some = _together(of_class[first : first + ROWS])
            blocks.append((begin, end, packed, len(some)))
            of_block.append((some * ROWS)[:ROWS])
            packed += ROWS * (end - begin)
    parts = min(PIECES, len(blocks)) if height == lines else 1
    pieces = -(-lines // height) * parts
    starts, of_weight = [of * plane + offset for of, offset, _ in terms], [at for *_, at in terms]
    in_order = int(of_weight == list(range(len(terms))))
    sizes = Sizes(batch, prod(outer), pitch, height, before, plane, planes, parts, packed, pieces, in_order)
    tables = starts, of_weight, blocks, of_block, sources, targets
    return Tables(sizes, *(np.array(table, np.int64) for table in tables))
