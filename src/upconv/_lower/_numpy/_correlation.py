"""The weight from x and y, compiled: sums over positions of both, which are laid out on one grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._layout import lay
from upconv._lower._numpy._micro import BYTES, IS_WIDE, correlate
from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._tables import Sizes, Steps, Tables

__all__ = ["correlation"]

# Of each row of samples, at a time: those of a step stay in the L1 cache.
RUN = 960
# Sums that are kept in registers with what they are made of: 24 of the 32 of AVX-512, 12 of the 16 of AVX2.
HIGH, WIDE = (4, 6) if IS_WIDE else (2, 6)
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
    totals: Any,
    finite: Any,
) -> None:
    """Add pieces ``first`` to ``stop`` to ``totals``, (groups, C_in, terms), and say whether they are finite."""
    sizes = Sizes(*of[0])
    tables, of_x, of_y = Tables(sizes, *of[1:]), Steps(*from_x), Steps(*from_y)
    channels, terms = totals.shape[1], len(tables.terms)
    lanes = BYTES // x.itemsize
    # Both are read by whole vectors: behind the samples of x are zeros, and behind those of y whatever is finite.
    span = -(-sizes.lines * sizes.pitch // lanes) * lanes
    laid = np.empty(sizes.planes * sizes.plane + lanes, y.dtype)
    most = -(-channels // sizes.parts)
    image = np.empty((most + HIGH) * span, x.dtype)
    starts: Any = np.empty(-(-terms // WIDE) * WIDE, np.int64)
    for k in range(len(starts)):
        starts[k] = tables.starts[min(k, terms - 1)]
    found: Any = np.empty(HIGH * WIDE, x.dtype)
    of_group = -(-sizes.images * sizes.rows // sizes.lines)
    for piece in range(first, stop):
        part, group = piece % sizes.parts, piece // sizes.parts // of_group
        top = piece // sizes.parts % of_group * sizes.lines
        begin, end = part * channels // sizes.parts, (part + 1) * channels // sizes.parts
        read = top, top + sizes.plane // sizes.pitch
        lay(laid, sizes.plane, sizes, tables.sources, (group, 0, sizes.planes), read, y, of_y)
        lay(image, span, sizes, tables.targets, (group, begin, end), (top, top + sizes.lines), x, of_x)
        if not (_is_finite(laid) and _is_finite(image)):
            finite[0] = False
            return
        samples = min(sizes.lines, sizes.images * sizes.rows - top) * sizes.pitch
        for j in range(0, samples, RUN):
            vectors = -(-min(RUN, samples - j) // lanes)
            of_y_run = laid.ctypes.data + j * y.itemsize
            c = begin
            while c < end:
                of_x_run = image.ctypes.data + ((c - begin) * span + j) * x.itemsize
                rows = HIGH if end - c > 1 else 1
                for k in range(0, terms, WIDE):
                    at = starts.ctypes.data + k * 8
                    zero = x.dtype.type(0)
                    if rows > 1:
                        _many(zero, of_x_run, span * x.itemsize, of_y_run, at, vectors, found.ctypes.data)
                    else:
                        _one(zero, of_x_run, span * x.itemsize, of_y_run, at, vectors, found.ctypes.data)
                    for i in range(min(rows, end - c)):
                        for term in range(min(WIDE, terms - k)):
                            totals[group, c + i, k + term] += found[i * WIDE + term]
                c += rows


# In any order: then many zeros, or NaNs, are added at a time.
@compiled(fastmath={"reassoc"})
def _is_finite(samples: Any) -> bool:
    zero = samples.dtype.type(0)
    check = zero
    for sample in samples:
        check += zero * sample
    return check == zero
