"""Output phases: which taps add to which, the additions, and how the phases interleave."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from upconv._plan import Plan

__all__ = ["ADDITIONS", "Run", "add_up", "additions", "interleave", "spreads"]

# Each addition is an operation of the program, and the time to compile it grows with them.
ADDITIONS = 128
# Taps of one axis that have one shift: inputs start:stop land at start + shift of the phases from `phase` on.
Run = namedtuple("Run", "shift phase taps start stop")


def additions(plan: Plan) -> int:
    """How many windows are added, one for each shift."""
    return prod(map(len, _runs(plan)))


def spreads(plan: Plan) -> bool:
    """Whether the taps of one phase are not neighbours of that phase."""
    return any(s > 1 and d > 1 for s, d in zip(plan.stride, plan.dilation, strict=True))


@lru_cache(maxsize=4096)
def _runs(plan: Plan) -> tuple[tuple[Run, ...], ...]:
    """The runs of each axis; kept, because a kernel may be long and every call asks."""

    def runs(taps: Any, i: int, q: int) -> Any:
        for shift, group in groupby(taps, key=lambda tap: tap.shift):
            run = list(group)
            start = min(max(0, -shift), i)
            yield Run(shift, run[0].phase, len(run), start, max(start, min(i, q - shift)))

    return tuple(tuple(runs(*axis)) for axis in zip(plan.taps, plan.size, plan.phase_size, strict=True))


def add_up(plan: Plan, columns: Any) -> Any:
    """Add columns, (groups, O, *kernel, N, *size), up by output phase: (groups, O, *stride, N, *phase_size)."""
    every = slice(None)
    batch = columns.shape[2 + plan.rank]
    y = jnp.zeros((*columns.shape[:2], *plan.stride, batch, *plan.phase_size), columns.dtype)
    for runs, part in _parts(plan, columns):
        if all(run.start < run.stop for run in runs):
            phases = (slice(r.phase, r.phase + (r.taps - 1) * d + 1) for r, d in zip(runs, plan.dilation, strict=True))
            window = (slice(run.start + run.shift, run.stop + run.shift) for run in runs)
            taken = part[(..., *(slice(run.start, run.stop) for run in runs))]
            # In place: where zeros are appended to each part and the parts added, XLA takes 4 times as long, because it
            # asks at each sample of each part whether it is a zero.
            y = y.at[(every, every, *phases, every, *window)].add(
                taken, mode="promise_in_bounds", unique_indices=True, indices_are_sorted=True
            )
    return y


def _parts(plan: Plan, columns: Any) -> list[tuple[tuple[Run, ...], Any]]:
    """Split the taps of each axis by run, and spread them over the phases where the kernel is dilated.

    By `lax.split`, whose transpose joins the parts; that of a slice is an array of zeros as large as all columns.
    """
    parts: list[tuple[tuple[Run, ...], Any]] = [((), columns)]
    for axis, (runs, d) in enumerate(zip(_runs(plan), plan.dilation, strict=True), start=2):
        sizes = [run.taps for run in runs]
        parts = [
            ((*before, run), _spread(piece, axis, d))
            for before, part in parts
            for run, piece in zip(runs, lax.split(part, sizes, axis), strict=True)
        ]
    return parts


def _spread(part: Any, axis: int, d: int) -> Any:
    """Append d - 1 zeros after each tap but the last."""
    if d == 1 or part.shape[axis] == 1:
        return part
    return lax.pad(part, jnp.zeros((), part.dtype), [(0, 0, (d - 1) * (n == axis)) for n in range(part.ndim)])


def interleave(plan: Plan, y: Any, skip: Sequence[int] = ()) -> Any:
    """Lay phase r of each axis at samples r, r + s, r + 2s, ...: (N, groups, O, *out), or channels last.

    On each axis ``skip`` samples stand in front of the output.
    """
    rank = plan.rank
    axes = [n for axis in range(rank) for n in (3 + rank + axis, 2 + axis)]
    size = [q * s for q, s in zip(y.shape[3 + rank :], plan.stride, strict=True)]
    kept = tuple(slice(at, at + n) for at, n in zip(skip or (0,) * rank, plan.out, strict=True))
    channels, batch = y.shape[:2], y.shape[2 + rank]
    if plan.channels_last:
        return y.transpose(2 + rank, *axes, 0, 1).reshape(batch, *size, *channels)[(slice(None), *kept)]
    return y.transpose(2 + rank, 0, 1, *axes).reshape(batch, *channels, *size)[(..., *kept)]
