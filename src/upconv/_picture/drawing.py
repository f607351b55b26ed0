"""What `diagram` draws: from the integers of a plan to cells, frames and arrows.

Everything is in pairs, row then column: a picture of one axis is one of two, with a single row.
"""

from __future__ import annotations

from collections import namedtuple
from itertools import product
from typing import Any

from matplotlib import colormaps

from upconv._picture import APPENDED, CHOSEN, COPY, CROPPED, EXTRA, FAINT, INK, NEIGHBOUR, PLAIN, TAP
from upconv._picture.grid import Grid
from upconv._picture.page import lay_grids, write_words
from upconv._plan import Plan

__all__ = ["draw"]

Pairs = namedtuple("Pairs", "size kernel stride dilation out lo hi extent marked extra")


def draw(figure: Any, plan: Plan, counts: Any, marked: tuple[int, ...], extra: tuple[int, ...], title: str) -> Any:
    """Draw input, kernel and output; ``counts`` is the output with all that is cropped from it."""
    lift = 2 - plan.rank
    reach = tuple(d * (k - 1) + 1 for d, k in zip(plan.dilation, plan.kernel, strict=True))
    sizes = (plan.size, plan.kernel, plan.stride, plan.dilation, plan.out)
    pairs = Pairs(
        *((1,) * lift + values for values in sizes),
        *((0,) * lift + values for values in (plan.lo, plan.hi)),
        *((first,) * lift + values for first, values in ((1, reach), (0, marked), (0, extra))),
    )
    counts = counts.reshape((1,) * lift + counts.shape)
    dilated = f", {_by(reach)} dilated" if reach != plan.kernel else ""
    names = (f"input {_by(plan.size)}", f"kernel {_by(plan.kernel)}{dilated}", f"output {_by(plan.out)}")
    figure, (left, middle, right) = lay_grids(figure, names, (pairs.size, pairs.extent, counts.shape))
    _operands(left, middle, pairs)
    _output(right, pairs, counts)
    _copies(right, pairs)
    for axis in range(lift, 2):
        _measures(right, pairs, axis)
    write_words(figure, plan, title, uncovered=any(extra))
    return figure


def _by(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))


def _taps(pairs: Pairs) -> list[tuple[int, int]]:
    return [(r * pairs.dilation[0], c * pairs.dilation[1]) for r, c in product(*map(range, pairs.kernel))]


def _operands(left: Grid, middle: Grid, pairs: Pairs) -> None:
    for place in product(*map(range, pairs.size)):
        color, style = ("white", CHOSEN) if place == pairs.marked else (INK, PLAIN)
        left.cell(place, 1, color, **style)
    for place in _taps(pairs):
        middle.cell(place, 1, INK, **TAP)
    middle.frame((0, 0), pairs.extent, edgecolor=FAINT, linestyle=":")
    apart = [k > 1 and d > 1 for k, d in zip(pairs.kernel, pairs.dilation, strict=True)]
    middle.steps((0, 0), pairs.dilation, apart, "dilation", INK)


def _output(grid: Grid, pairs: Pairs, counts: Any) -> None:
    kept = [range(max(0, lo), max(0, lo) + n) for lo, n in zip(pairs.lo, pairs.out, strict=True)]
    real = [range(max(0, -lo), n - max(0, -hi)) for lo, hi, n in zip(pairs.lo, pairs.hi, counts.shape, strict=True)]
    for place in product(*map(range, counts.shape)):
        style: Any = {"facecolor": colormaps["Blues"](0.62 * counts[place] / counts.max()), "edgecolor": "#E4E4E4"}
        if not all(n in there for n, there in zip(place, kept, strict=True)):
            grid.cell(place, counts[place], FAINT, **CROPPED)
        elif all(n in there for n, there in zip(place, real, strict=True)):
            grid.cell(place, counts[place], INK, **style)
        else:
            grid.cell(place, counts[place], INK, **APPENDED)
    grid.frame((kept[0].start, kept[1].start), pairs.out, edgecolor=INK, linewidth=2.2)


def _copies(grid: Grid, pairs: Pairs) -> None:
    """Outline the marked sample's copy of the kernel, and how far its neighbours' are from it."""
    axes = list(zip(pairs.lo, pairs.marked, pairs.stride, pairs.size, strict=True))
    row, column = (max(0, -lo) + p * s for lo, p, s, _ in axes)
    for r, c in _taps(pairs):
        grid.frame((row + r, column + c), (1, 1), inset=0.1, edgecolor=COPY, linewidth=1.8)
    # From the marked copy to the next, or to the marked one where it is the last.
    tail = tuple(max(0, -lo) + min(p, i - 2) * s for lo, p, s, i in axes)
    grid.steps(tail, pairs.stride, [i > 1 for i in pairs.size], "stride", COPY)
    if pairs.size[1] > 1:
        beside = tail[1] if tail[1] != column else column + pairs.stride[1]
        grid.frame((row, beside), pairs.extent, linewidth=1.4, **NEIGHBOUR)


def _measures(grid: Grid, pairs: Pairs, axis: int) -> None:
    """Write on one axis what is cropped, kept and uncovered."""
    lo, hi, out, extra, below = max(0, pairs.lo[axis]), pairs.hi[axis], pairs.out[axis], pairs.extra[axis], axis == 1
    grid.measure(lo, lo + out, str(out), INK, below=below)
    if lo:
        grid.measure(0, lo, f"lo {lo}", FAINT, below=below)
    if hi > 0:
        grid.measure(lo + out, lo + out + hi, f"hi {hi}", FAINT, below=below)
    if extra:
        place, shape = [max(0, lo) for lo in pairs.lo], list(pairs.out)
        place[axis], shape[axis] = lo + out - extra, extra
        grid.frame(tuple(place), tuple(shape), inset=0.05, edgecolor=EXTRA, linewidth=2.2)
