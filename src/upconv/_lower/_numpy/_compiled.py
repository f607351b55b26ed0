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
    sums = np.empty((ROWS, RUN + pitch + VECTORS * BYTES // x.itemsize), x.dtype)
    per_group = -(-images * count // lines)
    for piece in range(first, stop):
        part, piece_of_all = piece % parts, piece // parts
        group, top = piece_of_all // per_group, piece_of_all % per_group * lines
        bottom = min(top + lines, images * count)
        _lay(laid, x, group, top - before, sizes, from_x, sources)
        for line in range(top, bottom, max(1, RUN // pitch)):
            last = min(line + max(1, RUN // pitch), bottom)
            for column in range(0, pitch, RUN):
                here = (line, last, column, min(column + RUN, pitch), line - top + before)
                for block in range(part * len(blocks) // parts, (part + 1) * len(blocks) // parts):
                    _block(here, group, laid, weight, bias, out, sizes, to_out, starts, blocks[block], rows[block], targets, sums)


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
                if column_step == 1:
                    laid[place + a : place + b] = x[begin : begin + b - a]
                else:
                    for j in range(b - a):
                        laid[place + a + j] = x[begin + j * column_step]


@njit(nogil=True, cache=True)
def _block(
    here: Any, group: int, laid: Any, weight: Any, bias: Any, out: Any, sizes: Any, to_out: Any,
    starts: Any, block: Any, rows: Any, targets: Any, sums: Any,
) -> None:
    """Compute up to eight rows of the result on a few lines, and write them to their places in the output."""
    first, stop, start, end, laid_line = here
    _, count, pitch, _, _, _, _, _ = sizes
    image_step, group_step, channel_step, column_step, base = to_out
    begin, until, at, kept = block
    # Lines and columns of which nothing is kept are left out.
    top, bottom, left, right = stop, first, end, start
    for i in range(kept):
        phase = rows[i, 0]
        left, right = min(left, targets[phase, 0]), max(right, targets[phase, 1])
        for line in range(first, stop):
            if targets[phase, 3 + line % count] >= 0:
                top, bottom = min(top, line), max(bottom, line + 1)
    left, right = max(left, start), min(right, end)
    if top >= bottom or left >= right:
        return
    n = (bottom - top - 1) * pitch + right - left
    for i in range(kept):
        sums[i, :n] = bias[group, rows[i, 1]]
    place = laid.ctypes.data + ((laid_line + top - first) * pitch + left) * laid.itemsize
    of_block = weight.ctypes.data + (group * weight.shape[1] + at) * laid.itemsize
    _sum(place, starts.ctypes.data + begin * 8, until - begin, of_block, sums, kept, n)
    for i in range(kept):
        phase, channel = rows[i, 0], rows[i, 1]
        a, b = max(left, targets[phase, 0]), min(right, targets[phase, 1])
        of_row = base + group * group_step + channel * channel_step
        of_row += targets[phase, 2] + (a - targets[phase, 0]) * column_step
        for line in range(top, bottom):
            target = targets[phase, 3 + line % count]
            if target >= 0:
                to = of_row + target + line // count * image_step
                row = sums[i, (line - top) * pitch + a - left :]
                if column_step == 1:
                    for j in range(b - a):
                        out[to + j] = row[j]
                else:
                    for j in range(b - a):
                        out[to + j * column_step] = row[j]


@njit(nogil=True, cache=True)
def _sum(laid: int, starts: int, terms: int, weight: int, sums: Any, rows: int, n: int) -> None:
    """Add all terms to the first ``rows`` rows of ``sums``, ``n`` samples of each."""
    zero, step, size = sums.dtype.type(0), sums.strides[0], sums.itemsize
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
