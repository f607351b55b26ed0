"""Samples of many terms brought side by side first, in the order in which rows of sums read them.

Each term lies on pages of its own, and all are read again for every four rows: where vectors are short, waiting for
them takes as long as the sums. A copy, panel after panel as they are read, is soon paid for where many rows have their
terms in common. On one core of a Zen 3, with AVX2, the derivatives by x of layers with 128 channels and more have 0.66
to 0.86 of the speed of a bare product of BLAS in place of 0.54 to 0.68, and the layers themselves 0.66 to 0.79 in place
of 0.59 to 0.65. With AVX-512 as much again is computed of what is read, and this was not measured: it is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._micro import BYTES, IS_WIDE, accumulate
from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._rows import copy
from upconv._lower._numpy._sums import VECTORS
from upconv._lower._numpy._tables import GATHERED, MOST_GATHERED, ROWS, SHORT_RUN

__all__ = ["add_up_panels", "alike", "gather", "is_gathered", "most_gathered", "run_of", "steps_of_panels"]

# Terms of a panel, which stays in the L1 cache for both halves of the rows.
TERMS = 192
# Blocks of rows that have their terms in common: with four, layers of 32 channels are slower.
MANY_BLOCKS = 8
_three, _two, _one = accumulate(4, VECTORS), accumulate(4, 2), accumulate(4, 1)


@compiled()
def alike(blocks: Any, block: int, last: int) -> int:
    """The end of the blocks that have the terms of this one."""
    end = block + 1
    while end < last and blocks[end, 0] == blocks[block, 0]:
        end += 1
    return end


@compiled()
def is_gathered(blocks: Any, block: int, end: int, size: int) -> bool:
    """Whether these blocks, which have their terms in common, read panels."""
    least = (blocks[block, 1] - blocks[block, 0]) * SHORT_RUN * size
    return not IS_WIDE and end - block >= MANY_BLOCKS and least <= MOST_GATHERED


@compiled()
def most_gathered(blocks: Any, size: int) -> int:
    """Terms that are gathered, at most."""
    most, block = 0, 0
    while block < len(blocks):
        end = alike(blocks, block, len(blocks))
        if is_gathered(blocks, block, end, size):
            most = max(most, blocks[block, 1] - blocks[block, 0])
        block = end
    return most


@compiled()
def run_of(terms: int, size: int, pitch: int) -> tuple[int, int]:
    """How many samples are gathered at a time, and lines: as many as fill panels best, where a line is less."""
    lanes, run = BYTES // size, max(SHORT_RUN, GATHERED // (terms * size))
    best, least = 1, 2.0 * pitch
    for lines in range(1, run // pitch + 1):
        vectors = -(-lines * pitch // lanes)
        panels = vectors // VECTORS + (0.8 if vectors % VECTORS else 0.0)  # a narrow one takes nearly as long
        if panels < least * lines:
            best, least = lines, panels / lines
    return run, best


@compiled()
def steps_of_panels(lanes: int) -> Any:
    """Say of panels of one vector, of two and of three where their terms begin."""
    steps: Any = np.empty((VECTORS, TERMS), np.int64)
    for vectors in range(VECTORS):
        for term in range(TERMS):
            steps[vectors, term] = term * (vectors + 1) * lanes
    return steps


@compiled()
def _vectors(left: int) -> int:
    """How many are taken at a time; of four two, because one alone takes two thirds of the time of three."""
    return 2 if left == VECTORS + 1 else min(left, VECTORS)


@compiled()
def gather(zero: Any, size: int, samples: int, of_terms: tuple[int, int], n: int, to: int, starts: Any) -> None:
    """Copy ``n`` samples of each term, whole vectors, to an address."""
    first, terms = of_terms
    lanes = BYTES // size
    all_vectors = -(-n // lanes)
    for some in range(0, terms, TERMS):
        at = 0
        while at < all_vectors:
            vectors = _vectors(all_vectors - at)
            source = samples + at * BYTES
            for term in range(first + some, first + min(some + TERMS, terms)):
                copy(zero, source + starts[term] * size, to, vectors * lanes)
                to += vectors * BYTES
            at += vectors


@compiled()
def add_up_panels(
    zero: Any,
    size: int,
    panels: int,
    terms: int,
    steps: Any,
    weights: int,
    start: int,
    to: tuple[int, int],
    rows: int,
    n: int,
) -> None:
    """As `add_up`, of samples that were gathered."""
    (sums, step), lanes = to, BYTES // size
    all_vectors = -(-n // lanes)
    for some in range(0, terms, TERMS):
        of_panel, at = min(TERMS, terms - some), 0
        while at < all_vectors:
            vectors = _vectors(all_vectors - at)
            starts = steps.ctypes.data + (vectors - 1) * TERMS * 8
            for row in range(0, rows, 4):
                of_row, target = weights + (some * ROWS + row) * size, sums + at * BYTES + row * step
                first = start + row * size if start and not some else 0
                if vectors == VECTORS:
                    _three(zero, panels, starts, of_panel, of_row, first, target, step)
                elif vectors == 2:
                    _two(zero, panels, starts, of_panel, of_row, first, target, step)
                else:
                    _one(zero, panels, starts, of_panel, of_row, first, target, step)
            panels += of_panel * vectors * BYTES
            at += vectors
