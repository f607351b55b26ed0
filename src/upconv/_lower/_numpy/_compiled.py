"""The loops of a direct convolution around the innermost one, compiled by Numba.

Indices of samples are unsigned, because one that may be negative is checked at each sample; and samples are copied by
index, not by slice, because each slice counts its references. Both cost more than the copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._layout import lay
from upconv._lower._numpy._micro import BYTES, IS_WIDE, accumulate
from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._rows import at_strides, copy, weave
from upconv._lower._numpy._tables import ROWS, Sizes, Steps, Tables
from upconv._lower._numpy._taken import take

__all__ = ["direct"]

# Samples of a run: eight rows of sums stay in the L1 cache.
RUN = 960
# Twenty-four sums leave room for their operands in the 32 registers of AVX-512, twelve in the 16 of AVX2.
VECTORS = 3
_eight, _eight_tail = accumulate(8, VECTORS), accumulate(8, 1)
_four, _four_tail = accumulate(4, VECTORS), accumulate(4, 1)


@compiled()
def direct(
    following: Any,
    stop: int,
    of: tuple[Any, ...],
    given: Any,
    from_given: tuple[int, ...],
    weight: Any,
    bias: Any,
    result: Any,
    from_result: tuple[int, ...],
) -> None:
    """Compute the ``following`` pieces that no thread has taken, up to ``stop``: lines and rows of a group each."""
    sizes = Sizes(*of[0])
    tables, of_given, of_result = Tables(sizes, *of[1:]), Steps(*from_given), Steps(*from_result)
    beyond = VECTORS * BYTES // given.itemsize  # what a vector may read behind the last sample
    laid = np.empty(sizes.planes * sizes.plane + beyond, given.dtype)
    sums = np.empty(ROWS * (RUN + sizes.pitch + beyond), given.dtype)
    start = np.empty(ROWS, given.dtype)
    all_lines, blocks = sizes.images * sizes.rows, len(tables.blocks)
    of_image: Any = np.empty(sizes.lines, np.int64)
    image: Any = np.empty(sizes.lines, np.int64)
    of_group = -(-all_lines // sizes.lines)
    at_once = max(1, RUN // sizes.pitch)
    piece = take(following.ctypes.data)
    while piece < stop:
        part, group, top = (
            piece % sizes.parts,
            piece // sizes.parts // of_group,
            piece // sizes.parts % of_group * sizes.lines,
        )
        height = min(sizes.lines, all_lines - top)
        for line in range(height):  # once, because a division takes as long as some copies
            of_image[line], image[line] = (top + line) % sizes.rows, (top + line) // sizes.rows * of_result.image
        begin = top - sizes.before
        read = begin, begin + sizes.plane // sizes.pitch
        lay(laid, sizes.plane, sizes, tables.sources, (group, 0, sizes.planes), read, given, of_given)
        for line in range(0, height, at_once):
            for column in range(0, sizes.pitch, RUN):
                box = line, min(line + at_once, height), column, min(column + RUN, sizes.pitch)
                for block in range(part * blocks // sizes.parts, (part + 1) * blocks // sizes.parts):
                    _block(
                        box, of_image, image, tables, group, block, laid, weight, bias, start, sums, result, of_result
                    )
        piece = take(following.ctypes.data)


@compiled()
def _block(
    box: Any,
    of_image: Any,
    image: Any,
    tables: Tables,
    group: int,
    block: int,
    laid: Any,
    weight: Any,
    bias: Any,
    start: Any,
    sums: Any,
    result: Any,
    steps: Steps,
) -> None:
    """Compute up to eight rows of the result in a box of lines and columns."""
    first, stop, begin, end = box
    sizes, rows, targets = tables.sizes, tables.rows, tables.targets
    blocks = tables.blocks
    first_term, last_term, at, kept = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
    # Lines and columns of which nothing is kept are left out.
    top, bottom, left, right = stop, first, end, begin
    for i in range(kept):
        phase = rows[block, i, 0]
        left, right = min(left, targets[phase, 0]), max(right, targets[phase, 1])
        line = first
        while line < top and targets[phase, 3 + of_image[line]] < 0:
            line += 1
        top, line = min(top, line), stop
        while line > bottom and targets[phase, 3 + of_image[line - 1]] < 0:
            line -= 1
        bottom = max(bottom, line)
    left, right = max(left, begin), min(right, end)
    if top >= bottom or left >= right:
        return
    n, width = (bottom - top - 1) * sizes.pitch + right - left, len(sums) // ROWS
    for i in range(kept):
        start[i] = bias[group, rows[block, i, 1]]
    samples = laid.ctypes.data + ((sizes.before + top) * sizes.pitch + left) * laid.itemsize
    weights = weight.ctypes.data + (group * weight.shape[1] + at) * laid.itemsize
    terms = tables.starts.ctypes.data + first_term * 8, last_term - first_term
    _sum(samples, terms, weights, start.ctypes.data, sums, kept, n)
    i, zero, size = 0, sums.dtype.type(0), sums.itemsize
    while i < kept:
        phase, place = rows[block, i, 0], steps.base + group * steps.group + rows[block, i, 1] * steps.channel
        a, b = max(left, targets[phase, 0]), min(right, targets[phase, 1])
        here = i * width - top * sizes.pitch - left
        if steps.column == 2 and rows[block, i, 3] > 1 and i + 1 < kept:
            # Two phases that are all of a line of the output, sample by sample, but for what is kept of one alone.
            c, d = max(left, targets[phase + 1, 0]), min(right, targets[phase + 1, 1])
            first, last = max(a, c), max(a, c, min(b, d))
            for line in range(top, bottom):
                target = targets[phase, 3 + of_image[line]]
                if target >= 0:
                    to = place + image[line] + target
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
                target = targets[phase, 3 + of_image[line]]
                if target >= 0:
                    of_line, to = source + line * sizes.pitch * size, goal + (image[line] + target) * size
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


@compiled()
def _sum(samples: int, of_terms: tuple[int, int], weights: int, start: int, sums: Any, rows: int, n: int) -> None:
    """Compute the first ``rows`` rows of ``sums``, ``n`` samples of each."""
    zero, size, (starts, terms) = sums.dtype.type(0), sums.itemsize, of_terms
    step, lanes = len(sums) // ROWS * size, BYTES // size
    lower = weights + 4 * size
    j = 0
    while j < n:
        x, y = samples + j * size, sums.ctypes.data + j * size
        if n - j > lanes:
            if rows > 4 and IS_WIDE:
                _eight(zero, x, starts, terms, weights, start, y, step)
            else:
                _four(zero, x, starts, terms, weights, start, y, step)
                if rows > 4:
                    _four(zero, x, starts, terms, lower, start + 4 * size, y + 4 * step, step)
            j += VECTORS * lanes
        else:
            if rows > 4 and IS_WIDE:
                _eight_tail(zero, x, starts, terms, weights, start, y, step)
            else:
                _four_tail(zero, x, starts, terms, weights, start, y, step)
                if rows > 4:
                    _four_tail(zero, x, starts, terms, lower, start + 4 * size, y + 4 * step, step)
            j += lanes
