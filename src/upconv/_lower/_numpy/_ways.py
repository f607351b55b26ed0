"""The two ways through a direct convolution: what is laid out, what each row sums of it, and where its sums belong.

There are two layouts, and the one that takes less is chosen from shapes alone:

- shared: a sample is laid out once, and terms take it from different places. Behind each line stand zeros, as many as
  the kernel overhangs; a sum is computed there too, and thrown away.
- apart: a sample is laid out once for each place that a term wants it at, and nothing is computed but what is kept: on
  the way back to images of 8 x 8 from a kernel of 4 x 4 at a stride of 2, 64 sums in place of 81.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, product
from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy._grid import grid_of, kept
from upconv._lower._numpy._phases import Run, classes
from upconv._lower._numpy._tables import ROWS, Tables, make_tables
from upconv._plan import Plan

__all__ = ["backward", "forward"]

# Products that take as long as to lay out a sample: dcgan-8's dx takes 27 ms shared, for 2.7 G products and 1.3 M
# samples, and 22 ms apart, for 2.1 G and 4.2 M.
LAY = 24
# Samples of one channel laid apart, of whose lines tables are made.
MANY_SAMPLES = 2**16

Axes = tuple[int, ...]


def forward(plan: Plan, batch: int, x: Axes, y: Axes, itemsize: int, divided: int) -> Tables:
    """The output from the input: the phases of one class have their terms in common.

    ``x`` and ``y`` are steps from a sample of the arrays to the next along each spatial axis. A call is
    ``divided`` into so many parts; of more than one, what is laid apart would have other terms in each.
    """
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    taps, tap = prod(plan.kernel), _pitch(plan.kernel)
    grid, alike = grid_of(plan), classes(plan)
    places = [(0,) * plan.rank]
    ours = [runs for some in alike for runs in product(*(_from_first(plan, *axis) for axis in enumerate(some)))]
    reached = sorted({shifts for runs in ours for shifts in product(*(run.shifts for run in runs))})
    samples = tuple(max(_kept(plan, axis, run) for run in runs) for axis, runs in enumerate(zip(*ours, strict=True)))
    apart = divided == 1 and _is_apart(plan, (grid, ins), (samples, ins * len(reached)), len(reached))
    if apart:
        grid, alike, places = samples, tuple(ours), reached
    pitch, number = _pitch(grid), {place: n for n, place in enumerate(places)}
    terms: list[tuple[int, int, int]] = []
    rows: list[tuple[int, int, list[list[int]]]] = []
    phases: list[Any] = []
    for runs in alike:
        begin = len(terms)
        for c, index in product(range(ins), product(*(range(len(run.shifts)) for run in runs))):
            shifts = tuple(run.shifts[m] for run, m in zip(runs, index, strict=True))
            offset = 0 if apart else -sum(n * p for n, p in zip(shifts, pitch, strict=True))
            a = sum((run.tap + m * run.step) * t for run, m, t in zip(runs, index, tap, strict=True))
            terms.append((c * len(places) + (number[shifts] if apart else 0), offset, c * outs * taps + a))
        of_class = []
        for index in product(*(range(run.phases) for run in runs)):
            a = sum(n * t for n, t in zip(index, tap, strict=True))
            line = len(phases) - index[-1]  # phases that differ in the last axis alone are rows of one block
            of_class += [(o * runs[-1].phases // ROWS, line, o, len(phases), o * taps + a) for o in range(outs)]
            phases.append(_phase(plan, grid, [run.first + n for run, n in zip(runs, index, strict=True)], y))
        rows.append((begin, len(terms), [row for _, *row in sorted(of_class)]))
    images = [_image(plan, grid, place, x) for place in places]
    return make_tables(grid, batch, itemsize, divided, ins, terms, rows, images, phases)


def backward(plan: Plan, batch: int, x: Axes, y: Axes, itemsize: int, divided: int, beside: int = 0) -> Tables:
    """The input from the output: one sum over all channels and taps, each of the phase that the tap reaches.

    For the weight from both, so many planes of x are laid out ``beside`` those of y.
    """
    ins, outs, taps = plan.in_channels // plan.groups, plan.out_channels // plan.groups, prod(plan.kernel)
    grid, spans = grid_of(plan), plan.stride
    phases_shared = prod(
        len({a * d % s for a in range(k)}) for k, d, s in zip(plan.kernel, plan.dilation, spans, strict=True)
    )
    if divided == 1 and not beside and _is_apart(plan, (grid, outs * phases_shared), (plan.size, outs * taps), taps):
        # As if at a stride that no two taps have in common: then each has a phase of its own.
        grid, spans = plan.size, tuple((k - 1) * d + 1 for k, d in zip(plan.kernel, plan.dilation, strict=True))
    axes = zip(plan.kernel, plan.dilation, spans, strict=True)
    reached = product(*(sorted({a * d % s for a in range(k)}) for k, d, s in axes))
    number = {phase: n for n, phase in enumerate(reached)}
    terms = []
    for o, (a, tap) in product(range(outs), enumerate(product(*map(range, plan.kernel)))):
        at = [n * d for n, d in zip(tap, plan.dilation, strict=True)]
        phase = tuple(n % s for n, s in zip(at, spans, strict=True))
        offset = sum(n // s * p for n, s, p in zip(at, spans, _pitch(grid), strict=True))
        terms.append((o * len(number) + number[phase], offset, o * taps + a))
    rows = [(0, len(terms), [[c, c, 0, c * outs * taps] for c in range(ins)])]
    phases = [_phase(plan, grid, phase, y) for phase in number]
    image = _image(plan, grid, (0,) * plan.rank, x)
    return make_tables(grid, batch, itemsize, divided, outs, terms, rows, phases, [image], beside)


def _is_apart(plan: Plan, shared: tuple[Axes, int], apart: tuple[Axes, int], places: int) -> bool:
    """Compare what takes longest: products for each sum, thrown away or not, and samples that are laid out."""
    products = plan.in_channels * plan.out_channels // plan.groups**2 * prod(plan.kernel)
    least, most = (prod(samples) * (products + LAY * planes) for samples, planes in (apart, shared))
    return least < most and places * prod(apart[0]) <= MANY_SAMPLES


def _from_first(plan: Plan, axis: int, run: Run) -> list[Run]:
    """Count samples from the first that is kept of each phase; phases that begin with the same one stay together."""

    def first(n: int) -> int:
        begin: int = kept(plan, axis, slice(0, grid_of(plan)[axis]), run.first + n)[0].start
        return begin

    found = []
    for begin, (n, *more) in groupby(range(run.phases), key=first):
        shifts = tuple(shift - begin for shift in run.shifts)
        found.append(Run(run.first + n + begin * plan.stride[axis], 1 + len(more), run.tap + n, run.step, shifts))
    return found


def _kept(plan: Plan, axis: int, run: Run) -> int:
    """How many samples of a run's phases are kept, at most."""
    grid = grid_of(plan)[axis]
    found = (kept(plan, axis, slice(0, grid), run.first + n)[0] for n in range(run.phases))
    return max(1, *(some.stop - some.start for some in found))


def _pitch(size: Axes) -> list[int]:
    return [prod(size[axis + 1 :]) for axis in range(len(size))]


def _image(plan: Plan, grid: Axes, shifts: Axes, steps: Axes) -> Any:
    """Where the lines of the image are, so many samples further on the grid."""
    axes = zip(grid[:-1], plan.size, shifts, steps, strict=False)
    lines = _lines((np.arange(n) - t, i, step) for n, i, t, step in axes)
    n, i, t = grid[-1], plan.size[-1], shifts[-1]
    first, stop = min(max(0, t), n), max(0, min(n, i + t))
    return np.concatenate(([first, max(first, stop), (first - t) * steps[-1]], lines))


def _phase(plan: Plan, grid: Axes, residues: Any, steps: Axes) -> Any:
    """Where the lines of a phase of the output are."""
    axes = zip(grid[:-1], residues, plan.stride, plan.lo, plan.out, steps, strict=False)
    lines = _lines((np.arange(n) * s + (r - lo), out, step) for n, r, s, lo, out, step in axes)
    columns, place = kept(plan, plan.rank - 1, slice(0, grid[-1]), residues[-1])
    return np.concatenate(([columns.start, columns.stop, place.start * steps[-1]], lines))


def _lines(axes: Iterable[tuple[Any, int, int]]) -> Any:
    """Where each line is, or -1: of each outer axis the samples, how many there are, and the step between two.

    By NumPy, because all phases may have millions of them.
    """
    places: Any = np.zeros(1, np.int64)
    there: Any = np.ones(1, bool)
    for samples, n, step in axes:
        places = (places[:, None] + samples * step).reshape(-1)
        there = (there[:, None] & (samples >= 0) & (samples < n)).reshape(-1)
    return np.where(there, places, -1)
