"""Sums of a direct convolution, row by row, written where they belong in the result."""

from __future__ import annotations

from typing import Any

from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._rows import at_strides, copy, weave
from upconv._lower._numpy._tables import Steps, Tables

__all__ = ["put"]


@compiled()
def put(
    box: tuple[int, int, int, int],
    places: Any,
    tables: Tables,
    group: int,
    block: int,
    sums: Any,
    at: int,
    width: int,
    result: Any,
    steps: Steps,
) -> None:
    """Write the rows of a block, ``at`` a place of the sums, of the lines and columns of a box that are kept.

    ``places`` says where each line begins in the result, for each phase, or -1.
    """
    (top, bottom, left, right), sizes, rows, targets = box, tables.sizes, tables.rows, tables.targets
    zero, size, kept = sums.dtype.type(0), sums.itemsize, tables.blocks[block, 3]
    i = 0
    while i < kept:
        phase, place = rows[block, i, 0], steps.base + group * steps.group + rows[block, i, 1] * steps.channel
        a, b = max(left, targets[phase, 0]), min(right, targets[phase, 1])
        here = at + i * width - top * sizes.pitch - left
        if steps.column == 2 and rows[block, i, 3] > 1 and i + 1 < kept:
            # Two phases that are all of a line of the output, sample by sample, but for what is kept of one alone.
            c, d = max(left, targets[phase + 1, 0]), min(right, targets[phase + 1, 1])
            first, last = max(a, c), max(a, c, min(b, d))
            for line in range(top, bottom):
                if places[phase, line] >= 0:
                    to = place + places[phase, line]
                    even, odd = (
                        to + targets[phase, 2] - 2 * targets[phase, 0],
                        to + targets[phase + 1, 2] - 2 * targets[phase + 1, 0],
                    )
                    row = here + line * sizes.pitch
                    _interleave(sums, row + first, row + width + first, result, even + 2 * first, last - first)
                    for n in range(a, min(b, first)):
                        result[even + 2 * n] = sums[row + n]
                    for n in range(last, b):
                        result[even + 2 * n] = sums[row + n]
                    for n in range(c, min(d, first)):
                        result[odd + 2 * n] = sums[row + width + n]
                    for n in range(last, d):
                        result[odd + 2 * n] = sums[row + width + n]
            i += 2
        else:
            place += targets[phase, 2] + (a - targets[phase, 0]) * steps.column
            source, goal = sums.ctypes.data + (here + a) * size, result.ctypes.data + place * size
            for line in range(top, bottom if a < b else top):
                if places[phase, line] >= 0:
                    of_line, to = source + line * sizes.pitch * size, goal + places[phase, line] * size
                    _spread(zero, of_line, to, steps.column, b - a)
            i += 1


@compiled()
def _spread(zero: Any, source: int, target: int, stride: int, n: int) -> None:
    if stride == 1:
        copy(zero, source, target, n)
    else:
        at_strides(zero, source, 1, target, stride, n)


@compiled()
def _interleave(given: Any, even: int, odd: int, result: Any, to: int, n: int) -> None:
    size, rows = given.itemsize, given.ctypes.data
    weave(given.dtype.type(0), rows + even * size, rows + odd * size, result.ctypes.data + to * size, n)
