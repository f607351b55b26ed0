"""Rows of sums over the terms of a direct convolution, some vectors of each row at a time."""

from __future__ import annotations

from typing import Any

from upconv._lower._numpy._micro import BYTES, IS_WIDE, accumulate
from upconv._lower._numpy._numba import compiled

__all__ = ["VECTORS", "add_up"]

# Twenty-four sums leave room for their operands in the 32 registers of AVX-512, twelve in the 16 of AVX2.
VECTORS = 3
_eight, _eight_two, _eight_one = accumulate(8, VECTORS), accumulate(8, 2), accumulate(8, 1)
_four, _four_two, _four_one = accumulate(4, VECTORS), accumulate(4, 2), accumulate(4, 1)


@compiled()
def add_up(
    zero: Any,
    size: int,
    samples: int,
    of_terms: tuple[int, int],
    weights: int,
    start: int,
    to: tuple[int, int],
    rows: int,
    n: int,
    exact: bool,
) -> None:
    """Write four or eight rows of ``n`` sums ``to`` an address, so many bytes from one to the next.

    They begin with what is at ``start``, a number for each row, or with what the rows hold already if that address is
    zero. Whole vectors are written, beyond the last sum or, where it is to be exact, again some of those before.
    """
    (starts, terms), (sums, step), lanes = of_terms, to, BYTES // size
    j = 0
    while j < n:
        left = n - j if exact else n - j + lanes - 1
        vectors = max(1, min(left // lanes, VECTORS))
        if left // lanes == VECTORS + 1:
            vectors = 2  # twice, because one alone takes two thirds of the time of three
        if exact:
            j = min(j, n - vectors * lanes)
        x, y = samples + j * size, sums + j * size
        if rows > 4 and IS_WIDE:
            if vectors == VECTORS:
                _eight(zero, x, starts, terms, weights, start, y, step)
            elif vectors == 2:
                _eight_two(zero, x, starts, terms, weights, start, y, step)
            else:
                _eight_one(zero, x, starts, terms, weights, start, y, step)
        else:
            for row in range(0, rows, 4):
                of_row, target = weights + row * size, y + row * step
                first = start + row * size if start else 0
                if vectors == VECTORS:
                    _four(zero, x, starts, terms, of_row, first, target, step)
                elif vectors == 2:
                    _four_two(zero, x, starts, terms, of_row, first, target, step)
                else:
                    _four_one(zero, x, starts, terms, of_row, first, target, step)
        j += vectors * lanes
