"""The weight in the order in which a direct convolution reads it: of each term, `ROWS` rows side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._rows import weave_all
from upconv._lower._numpy._tables import ROWS, Sizes, Tables

__all__ = ["pack"]

# Of each block at a time, where they are scattered: those of a layer of 512 by 256 channels take 2 ms for 6.
TERMS = 64


@compiled()
def pack(first: int, stop: int, of: tuple[Any, ...], weight: Any, packed: Any, finite: Any) -> None:
    """Bring the weight of some blocks into the order in which it is read, and say whether it is finite."""
    tables, zero, most = Tables(Sizes(*of[0]), *of[1:]), packed.dtype.type(0), 0
    check, size = zero, weight.itemsize
    offsets: Any = np.empty(ROWS, np.int64)
    for block in range(first, stop):
        most = max(most, tables.blocks[block, 1] - tables.blocks[block, 0])
    # Some terms of all blocks, then the next: what lies side by side in the weight is then read together.
    at_once = most if tables.sizes.in_order else TERMS
    for group in range(len(packed)):
        for some in range(0, most, at_once):
            for block in range(first, stop):
                begin, end, at, rows = tables.blocks[block]
                to, n = at + ROWS * some, min(at_once, end - begin - some)
                for i in range(ROWS):
                    offsets[i] = tables.rows[block, min(i, rows - 1), 2]
                if tables.sizes.in_order:
                    source = weight.ctypes.data + (group * weight.shape[1] + tables.terms[begin + some]) * size
                    target = packed.ctypes.data + (group * packed.shape[1] + to) * size
                    weave_all(zero, source, offsets.ctypes.data, target, n)
                else:
                    for k in range(n):
                        term = tables.terms[begin + some + k]
                        for i in range(ROWS):
                            value = weight[group, np.uint64(term + offsets[i])]
                            packed[group, np.uint64(to + ROWS * k + i)] = value
                check += _zero(packed, group, to, to + ROWS * n)
    finite[0] = check == zero


@compiled(fastmath={"reassoc"})
def _zero(packed: Any, group: int, begin: int, end: int) -> Any:
    """Zero, if all are finite, or a NaN; added in any order."""
    zero = packed.dtype.type(0)
    check = zero
    for k in range(begin, end):
        check += zero * packed[group, np.uint64(k)]
    return check
