"""The loops of a direct convolution around the innermost one, compiled by Numba.

Indices of samples are unsigned, because one that may be negative is checked at each sample; and samples are copied by
index, not by slice, because each slice counts its references. Both cost more than the copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upconv._lower._numpy._micro import BYTES, IS_WIDE, accumulate
from upconv._lower._numpy._tables import ROWS, Steps, Tables

__all__ = ["direct", "pack"]

# Samples of a run: eight rows of sums stay in the L1 cache.
RUN = 960
# Twenty-four sums leave room for their operands in the 32 registers of AVX-512, twelve in the 16 of AVX2.
VECTORS = 3
_eight, _eight_tail = accumulate(8, VECTORS), accumulate(8, 1)
_four, _four_tail = accumulate(4, VECTORS), accumulate(4, 1)


@njit(nogil=True, cache=True)
def pack(first: int, stop: int, tables: Tables, weight: Any, packed: Any, finite: Any) -> None:
    """Bring the weight of some blocks into the order in which it is read, and say whether it is finite."""
    check = packed.dtype.type(0)
    for group in range(len(packed)):
        for block in range(first, stop):
            begin, end, at, rows = tables.blocks[block]
            for k in range(begin, end):
                for i in range(ROWS):
                    value = weight[group, tables.terms[k] + tables.rows[block, min(i, rows - 1), 2]]
                    packed[group, at + ROWS * (k - begin) + i] = value
                    check += 0 * value
    finite[0] = check == 0


@njit(nogil=True, cache=True)
def direct(
    first: int,
    stop: int,
    tables: Tables,
    given: Any,
    of_given: Steps,
    weight: Any,
    bias: Any,
    result: Any,
    of_result: Steps,
) -> None:
    """Compute pieces ``first`` to ``stop``, each some lines of a group and some of its rows."""
    sizes = tables.sizes
    beyond = VECTORS * BYTES // given.itemsize  # what a vector may read behind the last sample
    laid = np.empty(sizes.planes * sizes.plane + beyond, given.dtype)
    sums = np.empty(ROWS * (RUN + sizes.pitch + beyond), given.dtype)
    all_lines, blocks = sizes.images * sizes.count, len(tables.blocks)
    of_group = -(-all_lines // sizes.lines)
    at_once = max(1, RUN // sizes.pitch)
    for piece in range(first, stop):
        part, group, top = (
            piece % sizes.parts,
            piece // sizes.parts // of_group,
            piece // sizes.parts % of_group * sizes.lines,
        )
        height = min(sizes.lines, all_lines - top)
        _lay(laid, tables, group, top - sizes.before, given, of_given)
        for line in range(0, height, at_once):
            for column in range(0, sizes.pitch, RUN):
                box = top, line, min(line + at_once, height), column, min(column + RUN, sizes.pitch)
                for block in range(part * blocks // sizes.parts, (part + 1) * blocks // sizes.parts):
                    _block(box, tables, group, block, laid, weight, bias, sums, result, of_result)


@njit(nogil=True, cache=True)
def _lay(laid: Any, tables: Tables, group: int, top: int, given: Any, steps: Steps) -> None:
    """Lay the planes of a group out from line ``top`` on, with zeros where there is no sample."""
    laid[:] = 0
    sizes, sources = tables.sizes, tables.sources
    phases = len(sources)
    for plane in range(sizes.planes):
        phase = plane % phases
        left, right = sources[phase, 0], sources[phase, 1]
        of_plane = steps.base + group * steps.group + plane // phases * steps.channel + sources[phase, 2]
        for line in range(max(0, top), min(top + sizes.plane // sizes.pitch, sizes.images * sizes.count)):
            source = sources[phase, 3 + line % sizes.count]
            if source >= 0:
                begin = of_plane + source + line // sizes.count * steps.image
                place = plane * sizes.plane + (line - top) * sizes.pitch + left
                _copy(given, begin, steps.column, laid, place, 1, right - left)


@njit(nogil=True, cache=True)
def _block(
    box: Any,
    tables: Tables,
    group: int,
    block: int,
    laid: Any,
    weight: Any,
    bias: Any,
    sums: Any,
    result: Any,
    steps: Steps,
) -> None:
    """Compute up to eight rows of the result in a box of lines and columns."""
    piece, first, stop, begin, end = box
    sizes, rows, targets = tables.sizes, tables.rows, tables.targets
    first_term, last_term, at, kept = tables.blocks[block]
    # Lines and columns of which nothing is kept are left out.
    top, bottom, left, right = stop, first, end, begin
    for i in range(kept):
        phase = rows[block, i, 0]
        left, right = min(left, targets[phase, 0]), max(right, targets[phase, 1])
        line = first
        while line < top and targets[phase, 3 + (piece + line) % sizes.count] < 0:
            line += 1
        top, line = min(top, line), stop
        while line > bottom and targets[phase, 3 + (piece + line - 1) % sizes.count] < 0:
            line -= 1
        bottom = max(bottom, line)
    left, right = max(left, begin), min(right, end)
    if top >= bottom or left >= right:
        return
    n, width = (bottom - top - 1) * sizes.pitch + right - left, len(sums) // ROWS
    for i in range(kept):
        row = np.uint64(i * width)
        for j in range(np.uint64(n)):
            sums[row + j] = bias[group, rows[block, i, 1]]
    samples = laid.ctypes.data + ((sizes.before + top) * sizes.pitch + left) * laid.itemsize
    weights = weight.ctypes.data + (group * weight.shape[1] + at) * laid.itemsize
    _sum(samples, tables.starts.ctypes.data + first_term * 8, last_term - first_term, weights, sums, kept, n)
    i = 0
    while i < kept:
        phase, together = rows[block, i, 0], min(rows[block, i, 3], kept - i)
        of_row = steps.base + group * steps.group + rows[block, i, 1] * steps.channel
        for line in range(top, bottom):
            image, of_image = divmod(piece + line, sizes.count)
            if targets[phase, 3 + of_image] >= 0:
                place = of_row + image * steps.image + targets[phase, 3 + of_image]
                row = i * width + (line - top) * sizes.pitch - left
                _write(sums, row, width, together, targets, phase, left, right, result, place, steps.column)
        i += together


@njit(nogil=True, cache=True)
def _write(
    sums: Any,
    row: int,
    width: int,
    together: int,
    targets: Any,
    phase: int,
    left: int,
    right: int,
    result: Any,
    place: int,
    step: int,
) -> None:
    """Write a line of a phase, or of some that lie beside each other; where two are all of it, sample by sample."""
    a, b = left, left
    if together == 2 and step == 2:
        a = max(left, targets[phase, 0], targets[phase + 1, 0])
        b = max(a, min(right, targets[phase, 1], targets[phase + 1, 1]))
        to = np.uint64(place + targets[phase, 2] + (a - targets[phase, 0]) * step)
        even, odd = np.uint64(row + a), np.uint64(row + width + a)
        for j in range(np.uint64(b - a)):
            result[to + np.uint64(2) * j] = sums[even + j]
            result[to + np.uint64(2) * j + np.uint64(1)] = sums[odd + j]
    for m in range(together):
        begin, end = max(left, targets[phase + m, 0]), min(right, targets[phase + m, 1])
        origin = place + targets[phase + m, 2] - targets[phase + m, 0] * step
        of_phase = row + m * width
        if a > begin:
            _copy(sums, of_phase + begin, 1, result, origin + begin * step, step, a - begin)
        first = max(b, begin)
        if end > first:
            _copy(sums, of_phase + first, 1, result, origin + first * step, step, end - first)


@njit(nogil=True, cache=True)
def _copy(given: Any, first: int, stride: int, result: Any, to: int, step: int, n: int) -> None:
    a, b, s, t = np.uint64(first), np.uint64(to), np.uint64(stride), np.uint64(step)
    if stride == step == 1:
        for j in range(np.uint64(n)):
            result[b + j] = given[a + j]
    else:
        for j in range(np.uint64(n)):
            result[b + j * t] = given[a + j * s]


@njit(nogil=True, cache=True)
def _sum(samples: int, starts: int, terms: int, weights: int, sums: Any, rows: int, n: int) -> None:
    """Add all terms to the first ``rows`` rows of ``sums``, ``n`` samples of each."""
    zero, size = sums.dtype.type(0), sums.itemsize
    step, lanes = len(sums) // ROWS * size, BYTES // size
    lower = weights + 4 * size
    j = 0
    while j < n:
        x, y = samples + j * size, sums.ctypes.data + j * size
        if n - j > lanes:
            if rows > 4 and IS_WIDE:
                _eight(zero, x, starts, terms, weights, y, step)
            else:
                _four(zero, x, starts, terms, weights, y, step)
                if rows > 4:
                    _four(zero, x, starts, terms, lower, y + 4 * step, step)
            j += VECTORS * lanes
        else:
            if rows > 4 and IS_WIDE:
                _eight_tail(zero, x, starts, terms, weights, y, step)
            else:
                _four_tail(zero, x, starts, terms, weights, y, step)
                if rows > 4:
                    _four_tail(zero, x, starts, terms, lower, y + 4 * step, step)
            j += lanes
