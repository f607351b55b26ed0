"""A call divided into what a thread keeps, and given to the compiled loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._grid import grid_of, halves, halves_of_input
from upconv._lower._numpy._operands import Operands
from upconv._lower._numpy._tables import TILE_BYTES, Steps, Tables, plain
from upconv._lower._numpy._threads import MOST_THREADS, cores, share
from upconv._lower._numpy._ways import backward, forward
from upconv._plan import Plan

__all__ = ["Team", "correlate", "is_too_long", "kept_bytes", "our_team", "planes", "run"]

# Of a thread: a line is divided where it is longer with all that the kernel reaches from it. Threads that divide its
# rows would each lay out all of it: a vocoder's layer took 23 ms so, and takes 14.
LONGEST = TILE_BYTES
MOST_BYTES = 4 * TILE_BYTES
# Pieces of a task, of which the threads take one after the other as they come to it. An interrupt waits for their end.
MANY_PIECES = 64
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


def is_too_long(plan: Plan, itemsize: int) -> bool:
    """Whether what one sample reaches is more than a thread keeps; on the last axis twice, where parts overlap."""
    *least, across = [n - i for n, i in zip(grid_of(plan), plan.size, strict=True)]
    return max(planes(plan)) * prod(n + 1 for n in least) * (2 * across + 1) * itemsize > MOST_BYTES


def kept_bytes(image: int) -> int:
    """What all threads keep of an image of so many bytes, laid out shared or apart, and of its sums."""
    return cores() * min(4 * image, MOST_BYTES)


def correlate(of: Operands, x: Any, y: Any, team: Team) -> bool:
    """Fill the weight, or return False where a sample is not finite."""
    from upconv._lower._numpy._correlation import HIGH, WIDE, correlation

    if not x.flags.c_contiguous:
        x = np.ascontiguousarray(of.x)
        of = of._replace(x=x)
    if not y.flags.c_contiguous:
        y = np.ascontiguousarray(of.out)
        of = of._replace(out=y)
    groups, ins, outs = of.weight.shape[:3]
    threads = min(team.threads, max(1, WEIGHTS // of.weight.nbytes)) if of.is_much() else 1
    terms = outs * prod(of.plan.kernel)
    totals = np.zeros((threads, groups, -(-ins // HIGH), -(-terms // WIDE), HIGH * WIDE), x.dtype)
    of_thread: list[list[Callable[[], None]]] = [[] for _ in totals]
    divided = list(_parts(backward, of))
    for part in divided:
        tables = _tables(backward, part, len(divided), ins)
        ends = [tuple(_steps(view, whole, part)) for view, whole in ((part.x, x), (part.out, y))]
        arrays = x.reshape(-1), ends[0], y.reshape(-1), ends[1]
        for n, some in enumerate(_shares(groups * tables.sizes.pieces, threads)):
            of_thread[n].append(partial(correlation, *some, plain(tables), *arrays, ins, totals[n]))
    team.side_by_side([partial(_in_turn, tasks) for tasks in of_thread])
    tiles = totals.sum(axis=0).reshape(*totals.shape[1:4], HIGH, WIDE).swapaxes(2, 3)
    rows = tiles.reshape(groups, HIGH * tiles.shape[1], WIDE * tiles.shape[3])
    of.weight[...] = rows[:, :ins, :terms].reshape(of.weight.shape)
    return bool(np.isfinite(of.weight).all())


def _in_turn(tasks: Iterable[Callable[[], None]]) -> None:
    for task in tasks:
        task()


def run(way: Callable[..., Tables], of: Operands, given: Any, bias: Any, result: Any, team: Team) -> bool:
    """Fill the result, or return False where the weight is not finite."""
    # Not before it is needed: importing Numba takes half a second.
    from upconv._lower._numpy._compiled import direct
    from upconv._lower._numpy._packing import pack

    given = np.asarray(given)
    if not given.flags.c_contiguous:  # of what is cropped, no more than is taken
        given = np.ascontiguousarray(of.x if way is forward else of.out)
        of = of._replace(**{"x" if way is forward else "out": given})
    groups, ins, outs = of.weight.shape[:3]
    threads = team.threads if of.is_much() else 1
    taps = np.ascontiguousarray(of.weight).reshape(groups, -1)
    divided = list(_parts(way, of))
    parts = [(part, _tables(way, part, len(divided))) for part in divided]
    tables = parts[0][1]  # of which terms and rows are those of all
    packed = np.empty((groups, tables.sizes.packed), taps.dtype)
    shares = _shares(len(tables.blocks), threads if taps.size > MANY_WEIGHTS else 1)
    finite: Any = np.empty((len(shares), 1), bool)
    packs = zip(shares, finite, strict=True)
    team.side_by_side([partial(pack, *s, plain(tables), taps, packed, f) for s, f in packs])
    if not finite.all():
        return False
    if bias is None:
        bias = np.zeros((groups, outs if way is forward else ins), packed.dtype)
    tasks = []
    for part, tables in parts:
        views = (part.x, part.out) if way is forward else (part.out, part.x)
        ends = [tuple(_steps(view, whole, part)) for view, whole in zip(views, (given, result), strict=True)]
        task = plain(tables), given.reshape(-1), ends[0], packed, bias, result.reshape(-1), ends[1]
        pieces = groups * tables.sizes.pieces
        for first in range(0, pieces, MANY_PIECES):
            following, stop = np.array([first], np.int64), min(first + MANY_PIECES, pieces)
            tasks += [partial(direct, following, stop, *task)] * min(threads, stop - first)
    (team.side_by_side if threads > 1 else _in_turn)(tasks)
    return True


def planes(plan: Plan) -> tuple[int, int]:
    """Planes that are laid out on each way."""
    phases = prod(map(min, plan.kernel, plan.stride))
    return plan.in_channels // plan.groups, plan.out_channels // plan.groups * phases


@lru_cache(maxsize=512)
def _is_whole(plan: Plan, itemsize: int, longest: int) -> bool:
    """Whether a thread keeps a line, or it cannot be divided, or what halves have in common is half of it."""
    last = plan.rank - 1
    size, grid = plan.size[last], grid_of(plan)
    rows = prod(n - i + 1 for n, i in zip(grid[:-1], plan.size, strict=False))
    line = max(planes(plan)) * rows * grid[last] * itemsize
    return line <= longest or size < 2 or 2 * size <= grid[last] or plan.out[last] <= plan.stride[last]


def _parts(way: Callable[..., Tables], of: Operands) -> Iterator[Operands]:
    """Halves of lines that are longer than a thread keeps."""
    plan, last = of.plan, of.plan.rank - 1
    if _is_whole(plan, of.weight.itemsize, LONGEST):
        yield of
    elif way is forward:
        for half, inputs, outputs in halves(plan, last):
            yield from _parts(way, of._replace(plan=half, x=of.x[..., inputs], out=of.out[..., outputs]))
    else:
        for half, inputs in halves_of_input(plan, last):
            yield from _parts(way, of._replace(plan=half, x=of.x[..., inputs]))


def _tables(way: Callable[..., Tables], of: Operands, divided: int, *beside: int) -> Tables:
    size = of.weight.itemsize
    x, y = (tuple(step // size for step in view.strides[3:]) for view in (of.x, of.out))
    return way(of.plan, len(of.x), x, y, size, divided, *beside)


def _steps(view: Any, whole: Any, of: Operands) -> Steps:
    """Say how to go through an array; a phase of the output has every so many of its columns."""
    size, strides = whole.itemsize, view.strides
    column = strides[-1] // size * (of.plan.stride[-1] if view is of.out else 1)
    base = 0 if view.size == whole.size else (_address(view) - _address(whole)) // size
    return Steps(strides[0] // size, strides[1] // size, strides[2] // size, column, base)


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _shares(n: int, of: int) -> list[tuple[int, int]]:
    of = max(1, min(of, n))
    return [(n * k // of, n * (k + 1) // of) for k in range(of)]
