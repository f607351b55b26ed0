"""What the compiled loops of a direct convolution read in place of a plan: whole numbers, worked out once.

Samples of the grid are lines of one pitch, of all images one after the other. A plane holds them for one channel and
phase of the input; a term of the sum takes a plane from an offset on; a row of the result is a channel and a phase.
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

__all__ = ["ROWS", "TILE_BYTES", "Tables", "backward", "forward"]

ROWS = 8  # that are computed side by side
# Of the input, laid out: it stays in the L2 cache beside what it is multiplied with.
TILE_BYTES = 1 << 20
# To be divided between threads, at least.
PIECES = 4

Steps = tuple[int, ...]  # samples between neighbours: images, groups, channels, and along each spatial axis


class Tables(NamedTuple):
    """Arrays of int64, but for the first and the last two."""

    sizes: tuple[int, ...]  # images, lines of each, pitch, lines of a piece, lines before it, of a plane, planes, parts
    starts: Any  # of each term, where its samples begin
    terms: Any  # of each term, where in the weight
    blocks: Any  # (first term, last, first of the packed weight, rows) of rows that are computed side by side
    rows: Any  # (phase, channel, where in the weight) of each
    sources: Any  # (first column, last, where in the input) of each phase, then where each of its lines is, or -1
    targets: Any  # the same in the output
    packed: int  # weights of a group, as they are read
    pieces: int  # of a group


@lru_cache(maxsize=512)
def forward(plan: Plan, batch: int, ins: int, outs: int, of_x: Steps, of_y: Steps, itemsize: int) -> Tables:
    """The output from the input: the phases of one class have their terms in common."""
    grid, taps = grid_of(plan), prod(plan.kernel)
    pitch, tap = _pitch(grid), _pitch(plan.kernel)
    terms, rows, phases = [], [], []
    for runs in classes(plan):
        begin = len(terms)
        for c, index in product(range(ins), product(*(range(len(run.shifts)) for run in runs))):
            offset = -sum(run.shifts[m] * p for run, m, p in zip(runs, index, pitch, strict=True))
            a = sum((run.tap + m * run.step) * t for run, m, t in zip(runs, index, tap, strict=True))
            terms.append((c, offset, c * outs * taps + a))
        of_class = []
        for index in product(*(range(run.phases) for run in runs)):
            a = sum(n * t for n, t in zip(index, tap, strict=True))
            # Where samples are neighbours, phases that differ in the last axis alone are too, and are kept together.
            line = len(phases) - (index[-1] if of_y[-1] == 1 else 0)
            of_class += [(o * runs[-1].phases // ROWS, line, o, len(phases), o * taps + a) for o in range(outs)]
            phases.append(_phase(plan, grid, [run.first + n for run, n in zip(runs, index, strict=True)], of_y))
        rows.append((begin, len(terms), [row for _, *row in sorted(of_class)]))
    return _tables(grid, batch, itemsize, ins, terms, rows, [_image(plan, grid, of_x)], phases)


@lru_cache(maxsize=512)
def backward(plan: Plan, batch: int, ins: int, outs: int, of_x: Steps, of_y: Steps, itemsize: int) -> Tables:
    """The input from the output: one sum over all channels and taps, each of the phase that it reaches."""
    grid, taps = grid_of(plan), prod(plan.kernel)
    axes = zip(plan.kernel, plan.dilation, plan.stride, strict=True)
    reached = [sorted({a * d % s for a in range(k)}) for k, d, s in axes]
    number = {residues: n for n, residues in enumerate(product(*reached))}
    terms = []
    for o, (a, tap) in product(range(outs), enumerate(product(*map(range, plan.kernel)))):
        shifts, residues = zip(*(divmod(n * d, s) for n, d, s in zip(tap, plan.dilation, plan.stride, strict=True)))
        offset = sum(n * p for n, p in zip(shifts, _pitch(grid), strict=True))
        terms.append((o * len(number) + number[residues], offset, o * taps + a))
    rows = [(0, len(terms), [[0, c, 0, c * outs * taps] for c in range(ins)])]
    phases = [_phase(plan, grid, residues, of_y) for residues in number]
    return _tables(grid, batch, itemsize, outs * len(number), terms, rows, phases, [_image(plan, grid, of_x)])


def _pitch(size: tuple[int, ...]) -> list[int]:
    return [prod(size[axis + 1 :]) for axis in range(len(size))]


def _image(plan: Plan, grid: tuple[int, ...], steps: Steps) -> list[int]:
    """Where the lines of the image are."""
    axes = zip(grid[:-1], plan.size[:-1], steps[3:-1], strict=True)
    return [0, plan.size[-1], 0, *_lines([[q * step if q < i else -1 for q in range(n)] for n, i, step in axes])]


def _phase(plan: Plan, grid: tuple[int, ...], residues: Any, steps: Steps) -> list[int]:
    """Where the lines of a phase of the output are."""
    places = []
    for axis, (n, r, step) in enumerate(zip(grid[:-1], residues[:-1], steps[3:-1], strict=True)):
        outputs = (q * plan.stride[axis] + r - plan.lo[axis] for q in range(n))
        places.append([o * step if 0 <= o < plan.out[axis] else -1 for o in outputs])
    columns, place = kept(plan, plan.rank - 1, slice(0, grid[-1]), residues[-1])
    return [columns.start, columns.stop, place.start * steps[-1], *_lines(places)]


def _lines(axes: list[list[int]]) -> list[int]:
    return [-1 if min(places, default=0) < 0 else sum(places) for places in product(*axes)]


def _together(rows: list[list[int]]) -> list[tuple[int, ...]]:
    """Say of each row how many, from it on, are phases of one channel that lie beside each other in the output."""
    found = []
    for n, (line, channel, phase, at) in enumerate(rows):
        more = takewhile(lambda row: row[:2] == [line, channel], rows[n:])
        found.append((phase, channel, at, sum(1 for _ in more)))
    return found


def _tables(
    grid: tuple[int, ...], batch: int, itemsize: int, planes: int, terms: Any, rows: Any, sources: Any, targets: Any
) -> Tables:
    pitch, count = grid[-1], prod(grid[:-1])
    before = -(min(offset for _, offset, _ in terms) // pitch)
    after = -(-max(offset for _, offset, _ in terms) // pitch)
    most = max(1, TILE_BYTES // (planes * pitch * itemsize))
    pieces = max(-(-batch * count // most), min(PIECES, batch * count // 8), 1)
    lines = -(-batch * count // pieces)
    pieces = -(-batch * count // lines)
    plane = (before + lines + after) * pitch
    starts = [of * plane + offset for of, offset, _ in terms]
    blocks, of_block, packed = [], [], 0
    for begin, end, of_class in rows:
        for first in range(0, len(of_class), ROWS):
            some = of_class[first : first + ROWS]
            blocks.append((begin, end, packed, len(some)))
            of_block.append((_together(some) * ROWS)[:ROWS])
            packed += ROWS * (end - begin)
    parts = 1 if pieces > 1 else min(PIECES, len(blocks))
    return Tables(
        (batch, count, pitch, lines, before, plane, planes, parts),
        *(np.array(table, np.int64) for table in (starts, [a for *_, a in terms], blocks, of_block, sources, targets)),
        packed=packed,
        pieces=pieces * parts,
    )
