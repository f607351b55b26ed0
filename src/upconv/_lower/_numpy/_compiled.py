"""The loops of a direct convolution around the innermost one, compiled by Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from upconv._lower._numpy._micro import BYTES, IS_WIDE, accumulate
from upconv._lower._numpy._tables import ROWS

__all__ = ["direct", "pack"]

# Samples of a run, for which eight rows of sums stay in the L1 cache.
RUN = 960
# Twenty-four sums leave room for their operands in the 32 registers of AVX-512, twelve in the 16 of AVX2.
VECTORS = 3
_eight, _eight_tail = (accumulate(8, VECTORS), accumulate(8, 1)) if IS_WIDE else (None, None)
_four, _four_tail = accumulate(4, VECTORS), accumulate(4, 1)


@njit(nogil=True, cache=True)
def pack(weight: Any, terms: Any, rows: Any, blocks: Any, packed: Any) -> bool:
    """Bring the weight of each group into the order in which it is read, and say whether all of it is finite."""
    check = packed.dtype.type(0)
    for group in range(len(packed)):
        for block in range(len(blocks)):
            begin, end, at, kept = blocks[block]
            for k in range(begin, end):
                for i in range(ROWS):
                    value = weight[group, terms[k] + rows[block, min(i, kept - 1), 2]]
                    packed[group, at + ROWS * (k - begin) + i] = value
                    check += 0 * value
    return check == 0


@njit(nogil=True, cache=True)
def direct(
    first: int, stop: int, x: Any, weight: Any, bias: Any, out: Any, sizes: Any, from_x: Any, to_out: Any,
    starts: Any, blocks: Any, rows: Any, sources: Any, targets: Any,
) -> None:
    """Compute pieces ``first`` to ``stop``: so many lines of a group each."""
    images, count, pitch, lines, before, plane, planes, parts = sizes
    laid = np.empty(planes * plane + VECTORS * BYTES // x.itemsize, x.dtype)
    sums = np.empty(ROWS * (RUN + pitch + VECTORS * BYTES // x.itemsize), x.dtype)
    inner, outer = np.empty(lines, np.int64), np.empty(lines, np.int64)
    per_group = -(-images * count // lines)
    for piece in range(first, stop):
        part, piece_of_all = piece % parts, piece // parts
        group, top = piece_of_all // per_group, piece_of_all % per_group * lines
        height = min(lines, images * count - top)
        for line in range(height):
            inner[line], outer[line] = (top + line) % count, (top + line) // count * to_out[0]
        _lay(laid, x, group, top - before, sizes, from_x, sources)
        for line in range(0, height, max(1, RUN // pitch)):
            last = min(line + max(1, RUN // pitch), height)
            for column in range(0, pitch, RUN):
                here = (line, last, column, min(column + RUN, pitch))
                for block in range(part * len(blocks) // parts, (part + 1) * len(blocks) // parts):
                    _block(here, group, laid, weight, bias, out, sizes, to_out, starts, blocks, block, rows, targets, sums, inner, outer)


@njit(nogil=True, cache=True)
def _lay(laid: Any, x: Any, group: int, top: int, sizes: Any, from_x: Any, sources: Any) -> None:
    """Lay the channels of a group out from line ``top`` on, each phase for itself, with zeros where there is nothing."""
    images, count, pitch, _, _, plane, planes, _ = sizes
    image_step, group_step, channel_step, column_step, base = from_x
    phases = len(sources)
    laid[:] = 0
    for of_plane in range(planes):
        channel, phase = of_plane // phases, of_plane % phases
        a, b, at = sources[phase, 0], sources[phase, 1], sources[phase, 2]
        of_channel = base + group * group_step + channel * channel_step + at
        for line in range(max(0, top), min(top + plane // pitch, images * count)):
            source = sources[phase, 3 + line % count]
            if source >= 0:
                begin = of_channel + source + line // count * image_step
                place = of_plane * plane + (line - top) * pitch
                _copy_from(x, begin, column_step, laid, place + a, b - a)


@njit(nogil=True, cache=True)
def _block(
    here: Any, group: int, laid: Any, weight: Any, bias: Any, out: Any, sizes: Any, to_out: Any,
    starts: Any, blocks: Any, block: int, rows: Any, targets: Any, sums: Any, inner: Any, outer: Any,
) -> None:
    """Compute up to eight rows of the result on a few lines, and write them to their places in the output."""
    first, stop, start, end = here
    pitch, before = sizes[2], sizes[4]
    _, group_step, channel_step, column_step, base = to_out
    of_terms, until, at, kept = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
    width = len(sums) // ROWS
    # Lines and columns of which nothing is kept are left out.
    top, bottom, left, right = stop, first, end, start
    for i in range(kept):
        phase = rows[block, i, 0]
        left, right = min(left, targets[phase, 0]), max(right, targets[phase, 1])
        line = first
        while line < top and targets[phase, 3 + inner[line]] < 0:
            line += 1
        top, line = min(top, line), stop
        while line > bottom and targets[phase, 3 + inner[line - 1]] < 0:
            line -= 1
        bottom = max(bottom, line)
    left, right = max(left, start), min(right, end)
    if top >= bottom or left >= right:
        return
    n = (bottom - top - 1) * pitch + right - left
    for i in range(kept):
        begin = np.uint64(i * width)
        for j in range(np.uint64(n)):
            sums[begin + j] = bias[group, rows[block, i, 1]]
    place = laid.ctypes.data + ((before + top) * pitch + left) * laid.itemsize
    of_block = weight.ctypes.data + (group * weight.shape[1] + at) * laid.itemsize
    _sum(place, starts.ctypes.data + of_terms * 8, until - of_terms, of_block, sums, width, kept, n)
    i = 0
    while i < kept:
        phase, channel, together = rows[block, i, 0], rows[block, i, 1], min(rows[block, i, 3], kept - i)
        of_row = base + group * group_step + channel * channel_step
        pair = together == 2 and column_step == 2
        for line in range(top, bottom):
            target = targets[phase, 3 + inner[line]]
            if target < 0:
                continue
            to = of_row + target + outer[line]
            of_line = (line - top) * pitch - left
            if pair:
                a = max(left, targets[phase, 0], targets[phase + 1, 0])
                b = max(a, min(right, targets[phase, 1], targets[phase + 1, 1]))
                place = to + targets[phase, 2] + (a - targets[phase, 0]) * 2
                _copy_two(sums, i * width + of_line + a, (i + 1) * width + of_line + a, out, place, b - a)
            else:
                a = b = left
            for m in range(together):
                begin, end = max(left, targets[phase + m, 0]), min(right, targets[phase + m, 1])
                place = to + targets[phase + m, 2] - targets[phase + m, 0] * column_step
                if pair:
                    if begin < a:
                        out[place + begin * column_step] = sums[(i + m) * width + of_line + begin]
                    if end > b:
                        out[place + b * column_step] = sums[(i + m) * width + of_line + b]
                elif begin < end:
                    _copy(sums, (i + m) * width + of_line + begin, out, place + begin * column_step, column_step, end - begin)
        i += together


# Unsigned, because an index that may be negative is checked at each sample; and no slices, because each counts its
# references: both cost more than the copies.
@njit(nogil=True, cache=True)
def _copy_from(given: Any, first: int, step: int, out: Any, to: int, n: int) -> None:
    first, to, step = np.uint64(first), np.uint64(to), np.uint64(step)
    if step == 1:
        for j in range(np.uint64(n)):
            out[to + j] = given[first + j]
    else:
        for j in range(np.uint64(n)):
            out[to + j] = given[first + j * step]


@njit(nogil=True, cache=True)
def _copy(given: Any, first: int, out: Any, to: int, step: int, n: int) -> None:
    first, to, step = np.uint64(first), np.uint64(to), np.uint64(step)
    if step == 1:
        for j in range(np.uint64(n)):
            out[to + j] = given[first + j]
    else:
        for j in range(np.uint64(n)):
            out[to + j * step] = given[first + j]


@njit(nogil=True, cache=True)
def _copy_two(given: Any, even: int, odd: int, out: Any, to: int, n: int) -> None:
    even, odd, to = np.uint64(even), np.uint64(odd), np.uint64(to)
    for j in range(np.uint64(n)):
        out[to + np.uint64(2) * j] = given[even + j]
        out[to + np.uint64(2) * j + np.uint64(1)] = given[odd + j]


@njit(nogil=True, cache=True)
def _sum(laid: int, starts: int, terms: int, weight: int, sums: Any, width: int, rows: int, n: int) -> None:
    """Add all terms to the first ``rows`` rows of ``sums``, ``n`` samples of each."""
    zero, size = sums.dtype.type(0), sums.itemsize
    step = width * size
    j, start, lanes = 0, sums.ctypes.data, BYTES // size
    while j < n:
        x, y = laid + j * size, start + j * size
        if n - j > lanes:
            if rows > 4 and IS_WIDE:
                _eight(zero, x, starts, terms, weight, y, step)
            else:
                _four(zero, x, starts, terms, weight, y, step)
                if rows > 4:
                    _four(zero, x, starts, terms, weight + 4 * size, y + 4 * step, step)
            j += VECTORS * lanes
        else:
            if rows > 4 and IS_WIDE:
                _eight_tail(zero, x, starts, terms, weight, y, step)
            else:
                _four_tail(zero, x, starts, terms, weight, y, step)
                if rows > 4:
                    _four_tail(zero, x, starts, terms, weight + 4 * size, y + 4 * step, step)
            j += lanes
