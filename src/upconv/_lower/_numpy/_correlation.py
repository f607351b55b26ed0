"""The weight from x and y, compiled: sums over positions of both, which are laid out on one grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._layout import lay
from upconv._lower._numpy._micro import BYTES, IS_WIDE, correlate
from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._scratch import scratch
from upconv._lower._numpy._tables import Sizes, Steps, Tables

__all__ = ["HIGH", "WIDE", "correlation"]

# Of each row of samples, at a time: those of a step stay in the L1 cache.
RUN = 960
# Of y, laid out, for a run of all rows of x: they stay in the L1 cache beside those of a step.
NEAR_BYTES = 16 << 10
# Sums that are kept in registers with what they are made of: 24 of the 32 of AVX-512, 12 of the 16 of AVX2. There LLVM
# keeps the samples of all terms too: with 2 x 6 or 3 x 4 sums they do not fit, and 64 channels of 128 x 128 to as many
# take 15.7 and 15.1 ms in place of 8.2 (3 x 3, two cores of a Zen 4 of which AVX-512 is left unused).
HIGH, WIDE = (4, 6) if IS_WIDE else (4, 3)
_many, _one = correlate(HIGH, WIDE), correlate(1, WIDE)


@compiled()
def correlation(
    first: int,
    stop: int,
    of: tuple[Any, ...],
    x: Any,
    from_x: tuple[int, ...],
    y: Any,
    from_y: tuple[int, ...],
    channels: int,
    totals: Any,
) -> None:
    """Add pieces ``first`` to ``stop`` to ``totals``, (groups, tiles of rows, tiles of terms, numbers of a tile)."""
    sizes = Sizes(*of[0])
    tables, of_x, of_y = Tables(sizes, *of[1:]), Steps(*from_x), Steps(*from_y)
    zero, size, terms, tiles = x.dtype.type(0), x.itemsize, len(tables.terms), totals.shape[2]
    lanes = BYTES // size
    # Both are read by whole vectors: behind the samples of x are zeros, and behind those of y whatever is finite.
    span = -(-sizes.lines * sizes.pitch // lanes) * lanes
    laid = scratch(sizes.planes * sizes.plane + lanes, y)
    most = -(-channels // (HIGH * sizes.parts)) * HIGH
    image = scratch(most * span, x)
    starts: Any = np.empty(tiles * WIDE, np.int64)
    for k in range(len(starts)):
        starts[k] = tables.starts[min(k, terms - 1)]
    reached = RUN + sizes.plane - sizes.lines * sizes.pitch
    near = max(1, NEAR_BYTES * tiles // (sizes.planes * reached * size))
    of_group = -(-sizes.images * sizes.rows // sizes.lines)
    for piece in range(first, stop):
        part, group = piece % sizes.parts, piece // sizes.parts // of_group
        top = piece // sizes.parts % of_group * sizes.lines
        begin, end = min(part * most, channels), min((part + 1) * most, channels)
        read = top, top + sizes.plane // sizes.pitch
        lay(laid, sizes.plane, sizes, tables.sources, (group, 0, sizes.planes), read, y, of_y)
        lay(image, span, sizes, tables.targets, (group, begin, end), (top, top + sizes.lines), x, of_x)
        samples = min(sizes.lines, sizes.images * sizes.rows - top) * sizes.pitch
        for j in range(0, samples, RUN):
            vectors = -(-min(RUN, samples - j) // lanes)
            of_y_run = laid.ctypes.data + j * size
            for some in range(0, tiles, near):
                for c in range(begin, end, HIGH):
                    of_x_run = image.ctypes.data + ((c - begin) * span + j) * size
                    of_tiles = (group * totals.shape[1] + c // HIGH) * tiles
                    for tile in range(some, min(some + near, tiles)):
                        at = starts.ctypes.data + tile * WIDE * 8
                        sums = totals.ctypes.data + (of_tiles + tile) * HIGH * WIDE * size
                        if end - c > 1:
                            _many(zero, of_x_run, span * size, of_y_run, at, vectors, sums)
                        else:
                            _one(zero, of_x_run, span * size, of_y_run, at, vectors, sums)
