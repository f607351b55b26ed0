"""The phases of the output that the same shifts of the input reach, and the weight by phase.

Phases that have their shifts in common are computed side by side: one matrix gives them all.
"""

from __future__ import annotations

from itertools import product
from math import gcd, prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._grid import ALL
from upconv._memory import remembered
from upconv._plan import Plan

__all__ = ["Run", "by_phase", "classes"]

# Of the classes of all plans: with a dilation, each phase is a class of its own.
KEPT_BYTES = 8 << 20


class Run(NamedTuple):
    """Phases of one axis that the same shifts reach: ``first`` by taps tap, tap + step, ...; next by tap + 1, ..."""

    first: int
    phases: int
    tap: int
    step: int
    shifts: tuple[int, ...]


@remembered(KEPT_BYTES)
def classes(plan: Plan) -> tuple[tuple[Run, ...], ...]:
    """Phases that the same shifts reach, on every axis: one product for each."""

    def runs(k: int, s: int, d: int) -> list[Run]:
        found: list[Run] = []
        step = s // gcd(s, d)  # taps so far apart have one phase
        for tap in sorted(range(min(k, step)), key=lambda a: a * d % s):
            shifts = tuple(a * d // s for a in range(tap, k, step))
            last = found[-1] if found else None
            if d == 1 and last and last.shifts == shifts:
                found[-1] = last._replace(phases=last.phases + 1)
            else:
                found.append(Run(tap * d % s, 1, tap, step, shifts))
        return found

    return tuple(product(*map(runs, plan.kernel, plan.stride, plan.dilation)))


def by_phase(weight: Any, runs: tuple[Run, ...]) -> Any:
    """Return (groups, C_in * shifts, phases * C_out), from (groups, C_in, C_out, *kernel)."""
    rank, strides = len(runs), weight.strides
    first = weight[(ALL, ALL, ALL, *(slice(run.tap, None) for run in runs))]
    taps = np.lib.stride_tricks.as_strided(
        first,
        (*weight.shape[:3], *(len(run.shifts) for run in runs), *(run.phases for run in runs)),
        (*strides[:3], *(run.step * s for run, s in zip(runs, strides[3:], strict=True)), *strides[3:]),
        writeable=False,
    )
    matrix = np.ascontiguousarray(taps.transpose(0, 1, *range(3, 3 + 2 * rank), 2))
    return matrix.reshape(*weight.shape[:1], weight.shape[1] * prod(len(run.shifts) for run in runs), -1)
