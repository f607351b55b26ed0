"""What a direct convolution does, but for its numbers: it is worked out once for a geometry and a number of images.

It takes half a hundred microseconds of Python, where whole layers take a thousand; each call then adds its arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from upconv._lower._numpy._grid import Index, grid_of, halves, halves_of_input
from upconv._lower._numpy._operands import Operands, grouped, lifted
from upconv._lower._numpy._phases import classes
from upconv._lower._numpy._tables import GATHERED, MOST_GATHERED, SHORT_RUN, TILE_BYTES, Steps, Tables, plain
from upconv._lower._numpy._threads import cores
from upconv._lower._numpy._ways import backward, forward
from upconv._memory import remembered
from upconv._plan import Plan

__all__ = ["Part", "Program", "correlation_of", "is_too_long", "kept_bytes", "program_of"]

# Of a thread: a line is divided where it is longer with all that the kernel reaches from it. Threads that divide its
# rows would each lay out all of it: a vocoder's layer took 23 ms so, and takes 14.
LONGEST = TILE_BYTES
MOST_BYTES = 4 * TILE_BYTES
# Pieces of a task, of which threads take one after the other as they come to it, and of small ones as many as have so
# many products: some 20 ms, for whose end an interrupt waits.
MANY_PIECES = 64
MANY_PRODUCTS = 2**31
# Of all programs of a kind: the tables of one may be a megabyte. One that is larger is worked out at each call.
KEPT_BYTES = 32 << 20

Way = Callable[..., Tables]


class Part(NamedTuple):
    """Of lines that are divided, or all of them."""

    tables: Tables
    plain: tuple[Any, ...]  # the same, as compiled code takes them
    given: tuple[int, ...]  # `Steps` through each, plain too
    result: tuple[int, ...]
    pieces: int
    at_once: int  # pieces of one task


class Program(NamedTuple):
    """What is done with arrays that are whole, in the layout of the plan, and without a gap in memory."""

    parts: tuple[Part, ...]
    taps: Index  # of the weight, those that reach anything
    weight: tuple[int, ...]  # (groups, C_in, C_out, *kernel) of these
    is_all: bool  # whether the parts fill all of the result
    is_much: bool  # whether it is worth waking a thread


@remembered(KEPT_BYTES)
def program_of(way: Way, plan: Plan, batch: int, dtype: Any) -> Program:
    """Of one of the two ways."""
    return _program(way, plan, batch, dtype)


@remembered(KEPT_BYTES)
def correlation_of(plan: Plan, batch: int, dtype: Any) -> Program:
    """Of the weight from both: x is laid out beside y."""
    return _program(backward, plan, batch, dtype, plan.in_channels // plan.groups)


def is_too_long(plan: Plan, itemsize: int) -> bool:
    """Whether what one sample reaches is more than a thread keeps; on the last axis twice, where parts overlap."""
    *least, across = [n - i for n, i in zip(grid_of(plan), plan.size, strict=True)]
    return _planes(plan) * prod(n + 1 for n in least) * (2 * across + 1) * itemsize > MOST_BYTES


def kept_bytes(plan: Plan, batch: int, itemsize: int) -> int:
    """What all threads keep of the images, laid out shared or apart, and of their sums; and gather of the samples.

    And the places of the lines of all phases, which the program lists.
    """
    samples = batch * prod(grid_of(plan)) * itemsize
    terms = plan.in_channels // plan.groups * prod(-(-k // s) for k, s in zip(plan.kernel, plan.stride, strict=True))
    gathered = min(terms * samples, max(GATHERED, terms * SHORT_RUN * itemsize))
    listed = 8 * (1 + prod(map(min, plan.kernel, plan.stride))) * prod(grid_of(plan)[:-1])
    return listed + cores() * (min(4 * _planes(plan) * samples, MOST_BYTES) + min(gathered, MOST_GATHERED))


def _program(way: Way, plan: Plan, batch: int, dtype: Any, *beside: int) -> Program:
    shapes = (batch, *plan.sample_shape), plan.weight_shape, (batch, *plan.image_shape)
    x, weight, y = (_of_shape(shape, dtype) for shape in shapes)
    of, (*_, taps) = grouped(plan, x, weight, None, y), lifted(plan)
    divided = tuple(_parts(way, of))
    parts = tuple(_part(way, part, (x, y), len(divided), *beside) for part in divided)
    is_all = _is_covered(of.plan) if way is forward else of.x.size == x.size
    return Program(parts, (slice(None), slice(None), *taps), of.weight.shape, is_all, of.is_much())


def _of_shape(shape: tuple[int, ...], dtype: Any) -> Any:
    """Make an array that is only looked at, of one number however large it is."""
    steps = [prod(shape[axis + 1 :]) * dtype.itemsize for axis in range(len(shape))]
    return as_strided(np.empty(1, dtype), shape, steps, writeable=False)


def _part(way: Way, of: Operands, whole: tuple[Any, Any], divided: int, *beside: int) -> Part:
    ends = [tuple(_steps(view, array, of)) for view, array in zip((of.x, of.out), whole, strict=True)]
    size = of.weight.itemsize
    axes = [tuple(step // size for step in view.strides[3:]) for view in (of.x, of.out)]
    tables = way(of.plan, len(of.x), *axes, size, divided, *beside)
    given, result = ends if way is forward else reversed(ends)
    pieces, products = len(of.weight) * tables.sizes.pieces, len(of.x) * prod(of.plan.size) * of.weight.size
    at_once = max(MANY_PIECES, MANY_PRODUCTS * pieces // max(1, products))
    return Part(tables, plain(tables), given, result, pieces, at_once)


def _steps(view: Any, whole: Any, of: Operands) -> Steps:
    """Say how to go through an array; a phase of the output has every so many of its columns."""
    size, strides = whole.itemsize, view.strides
    column = strides[-1] // size * (of.plan.stride[-1] if view is of.out else 1)
    base = (_address(view) - _address(whole)) // size
    return Steps(strides[0] // size, strides[1] // size, strides[2] // size, column, base)


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _parts(way: Way, of: Operands) -> Iterator[Operands]:
    """Halves of lines that are longer than a thread keeps."""
    plan, last = of.plan, of.plan.rank - 1
    if _is_whole(plan, of.weight.itemsize):
        yield of
    elif way is forward:
        for half, inputs, outputs in halves(plan, last):
            yield from _parts(way, of._replace(plan=half, x=of.x[..., inputs], out=of.out[..., outputs]))
    else:
        for half, inputs in halves_of_input(plan, last):
            yield from _parts(way, of._replace(plan=half, x=of.x[..., inputs]))


def _is_whole(plan: Plan, itemsize: int) -> bool:
    """Whether a thread keeps a line, or it cannot be divided, or what halves have in common is half of it."""
    last = plan.rank - 1
    size, grid = plan.size[last], grid_of(plan)
    rows = prod(n - i + 1 for n, i in zip(grid[:-1], plan.size, strict=False))
    line = _planes(plan) * rows * grid[last] * itemsize
    return line <= LONGEST or size < 2 or 2 * size <= grid[last] or plan.out[last] <= plan.stride[last]


def _planes(plan: Plan) -> int:
    """Planes that are laid out, on the way that has more of them."""
    phases = prod(map(min, plan.kernel, plan.stride))
    return max(plan.in_channels // plan.groups, plan.out_channels // plan.groups * phases)


def _is_covered(plan: Plan) -> bool:
    """Whether some tap reaches each output."""
    reached = sum(prod(run.phases for run in runs) for runs in classes(plan))
    return reached == prod(plan.stride) and min(plan.lo + plan.hi) >= 0
