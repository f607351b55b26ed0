"""The arrays of a call given to the compiled loops, piece by piece, on the threads of a team."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._program import Program, Way, correlation_of, program_of
from upconv._lower._numpy._readable import readable
from upconv._lower._numpy._threads import MOST_THREADS, cores, share
from upconv._plan import Plan

__all__ = ["Team", "correlate", "our_team", "run"]

# Weights, from which on it is worth waking a thread to lay them out.
MANY_WEIGHTS = 2**17
# Bytes of all weights that threads add up, one for each.
WEIGHTS = 16 << 20


class Team(NamedTuple):
    """How many threads there are, and what gives them tasks and waits for all."""

    threads: int
    side_by_side: Callable[[Iterable[Callable[[], None]]], None]


def our_team(most: int = MOST_THREADS) -> Team:
    """As many threads as BLAS would take, or fewer."""
    threads = min(most, cores())
    return Team(threads, partial(share, threads=threads))


def run(way: Way, plan: Plan, given: Any, weight: Any, bias: Any, result: Any, team: Team) -> bool:
    """Fill what is reached of the result, or return False where the weight is not finite."""
    # Not before it is needed: importing Numba takes half a second.
    from upconv._lower._numpy._compiled import direct

    of = program_of(way, plan, len(given), given.dtype)
    threads = team.threads if of.is_much else 1
    groups, channels = of.weight[0], result.shape[-1 if plan.channels_last else 1]
    bias = np.zeros(channels, given.dtype) if bias is None else readable(bias, given.dtype)
    packed = _packed(of, weight, given.dtype, team, threads)
    if packed is None:
        return False
    if not of.is_all:
        result[...] = bias.reshape(-1, *(1,) * (0 if plan.channels_last else plan.rank))
    given, result = readable(given, given.dtype), result.reshape(-1)
    tasks: list[Callable[[], None]] = []
    for part in of.parts:
        task = part.plain, given, part.given, packed, bias.reshape(groups, -1), result, part.result
        for first in range(0, part.pieces, part.at_once):
            following, stop = np.array([first], np.int64), min(first + part.at_once, part.pieces)
            tasks += [partial(direct, following, stop, *task)] * min(threads, stop - first)
    _do(tasks, team, threads)
    return True


def _packed(of: Program, weight: Any, dtype: Any, team: Team, threads: int) -> Any:
    """Bring the weight into the order in which it is read, or return None where it is not finite."""
    from upconv._lower._numpy._packing import pack

    tables, plain = of.parts[0][:2]  # whose terms and rows are those of all
    taps = readable(weight[of.taps], dtype).reshape(of.weight[0], -1)
    packed = np.empty((len(taps), tables.sizes.packed), dtype)
    shares = _shares(len(tables.blocks), threads if taps.size > MANY_WEIGHTS else 1)
    finite: Any = np.empty((len(shares), 1), bool)
    tasks = [partial(pack, *some, plain, taps, packed, f) for some, f in zip(shares, finite, strict=True)]
    _do(tasks, team, len(tasks))
    return packed if finite.all() else None


def correlate(plan: Plan, x: Any, y: Any, weight: Any, team: Team) -> bool:
    """Fill what reaches anything of the weight, or return False where a sample is not finite."""
    from upconv._lower._numpy._correlation import HIGH, WIDE, correlation

    of = correlation_of(plan, len(x), x.dtype)
    groups, ins, terms = of.weight[0], of.weight[1], prod(of.weight[2:])
    threads = min(team.threads, max(1, WEIGHTS // (groups * ins * terms * x.itemsize))) if of.is_much else 1
    totals = np.zeros((threads, groups, -(-ins // HIGH), -(-terms // WIDE), HIGH * WIDE), x.dtype)
    x, y = (readable(a, totals.dtype) for a in (x, y))
    of_thread: list[list[Callable[[], None]]] = [[] for _ in totals]
    for part in of.parts:
        arrays = x, part.result, y, part.given
        for n, some in enumerate(_shares(part.pieces, threads)):
            of_thread[n].append(partial(correlation, *some, part.plain, *arrays, ins, totals[n]))
    _do([partial(_in_turn, tasks) for tasks in of_thread], team, threads)
    tiles = totals.sum(axis=0).reshape(*totals.shape[1:4], HIGH, WIDE).swapaxes(2, 3)
    rows = tiles.reshape(groups, HIGH * tiles.shape[1], WIDE * tiles.shape[3])[:, :ins, :terms]
    reached = weight[of.taps]
    reached[...] = rows.reshape(reached.shape)
    return bool(np.isfinite(rows).all())


def _do(tasks: Iterable[Callable[[], None]], team: Team, threads: int) -> None:
    (team.side_by_side if threads > 1 else _in_turn)(tasks)


def _in_turn(tasks: Iterable[Callable[[], None]]) -> None:
    for task in tasks:
        task()


def _shares(n: int, of: int) -> list[tuple[int, int]]:
    of = max(1, min(of, n))
    return [(n * k // of, n * (k + 1) // of) for k in range(of)]
