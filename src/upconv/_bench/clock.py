"""How long a call takes."""

from __future__ import annotations

import gc
from math import ceil
from statistics import median
from time import perf_counter

from upconv._bench.task import Call

__all__ = ["calls_of_a_block", "time_round"]

# The clock is read around so many seconds of calls: it takes 0.1 µs, and the shortest call two.
BLOCK_S = 5e-4


def calls_of_a_block(call: Call) -> int:
    """How many calls the clock is read around; the first that is not the very first says it."""
    call()
    start = perf_counter()
    call()
    return max(1, ceil(BLOCK_S / (perf_counter() - start)))


def time_round(call: Call, block: int, seconds: float, *, wake: bool = True) -> float:
    """Return the median of as many calls as fit into a round, at least one.

    Each result is dropped at once, as it is in a program that has used it; `memory` says what becomes of its pages.
    """
    if wake:
        call()  # threads sleep, and caches are another's, after the others' turns
    taken = []
    gc.disable()
    try:
        end = perf_counter() + seconds
        while True:
            start = perf_counter()
            for _ in range(block):
                call()
            now = perf_counter()
            taken.append((now - start) / block)
            if now >= end:
                return median(taken)
    finally:
        gc.enable()
