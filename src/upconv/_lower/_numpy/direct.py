"""Direct convolution, phase by phase, compiled by Numba: no columns are written, and nothing is added up twice.

Each phase of the output is a dense convolution of the input, and the input is one of all phases of the output. What is
given is laid on the grid of the uncropped output with zeros behind each line, as many as the kernel overhangs: then the
samples that one term of the sum takes, a channel at one shift, are one run of memory for many lines, and a product with
a row of weights needs no copy of them. A weight that is not finite would make NaNs of the zeros, and is left to the
columns of overlap-add.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy._columns import conv as conv_by_columns
from upconv._lower._numpy._few import is_few
from upconv._lower._numpy._grid import grid_of, halves, halves_of_input, work_dtype
from upconv._lower._numpy._operands import Operands, grouped, lifted, operands
from upconv._lower._numpy._phases import classes
from upconv._lower._numpy._tables import TILE_BYTES, Steps, Tables, backward, forward
from upconv._lower._numpy._threads import cores, side_by_side
from upconv._lower._numpy._window import conv_transpose as overlap_add
from upconv._plan import Plan

__all__ = ["conv", "conv_transpose", "reason", "refusal", "slow", "workspace"]

# Of a thread: a line with all that the kernel reaches from it is divided where it is longer.
LONGEST = 4 * TILE_BYTES
# Weights, from which on it is worth waking a thread to lay them out.
MANY_WEIGHTS = 2**17
# Input channels of a group, from which on a product of BLAS is as fast.
MANY_CHANNELS = 128
# Lines of all phases, whose places are worked out once for a geometry, 0.2 microseconds each.
MANY_LINES = 2**16


@lru_cache(maxsize=1)
def _missing() -> str:
    """Say what is missing to compile with."""
    return "" if find_spec("numba") else "a call without Numba, which is not installed: pip install 'upconv[numba]'"


def refusal(plan: Plan, x: Any) -> str:
    """Take what it is compiled for, and what fits into a thread's memory."""
    if x.dtype.name not in ("float32", "float64"):
        return f"{x.dtype}: it is compiled for float32 and float64"
    if plan.is_empty or not all(lifted(plan)[0].size):
        return "nothing to multiply"
    ours = lifted(plan)[0]
    if ours.far:
        return ours.far
    # What one sample reaches, and on the last axis, which is divided, as much again of what its part overlaps.
    *least, across = [n - i for n, i in zip(grid_of(ours), ours.size, strict=True)]
    if max(_planes(ours)) * prod(n + 1 for n in least) * (2 * across + 1) * x.dtype.itemsize > LONGEST:
        return "a kernel so long that what it reaches from one sample is more than a thread keeps"
    return _missing()


def slow(plan: Plan, x: Any) -> str:
    """Say where a product of BLAS, or a table, is faster, on two cores."""
    if is_few(plan, len(x)):
        return "few numbers, which one look-up gives (tiny: 80 us, overlap_add 26)"
    ours = lifted(plan)[0]
    if ours.in_channels // ours.groups > MANY_CHANNELS:
        return "many input channels, for which a product of BLAS is as fast (dcgan-8: 82 ms, overlap_add 71)"
    if prod(ours.stride) * prod(grid_of(ours)[:-1]) > MANY_LINES:
        return "many phases of many lines, for which tables are made in Python first"
    if grid_of(ours) == ours.size and ours.in_channels > ours.groups:
        return "no two taps meet: there is nothing to add (unet-128: 18.6 ms, overlap_add 16.8)"
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "each phase a direct convolution of the input, compiled by Numba"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The weight as it is read, and what is laid out for each thread."""
    ours = lifted(plan)[0]
    image = max(_planes(ours)) * batch * prod(grid_of(ours)) * itemsize
    return prod(plan.weight_shape) * itemsize + cores() * min(2 * image, LONGEST)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y from x and the weight."""
    if not x.dtype.isnative:
        return conv_transpose(plan, x.astype(work_dtype(x.dtype)), weight, bias).astype(x.dtype)
    y, of = operands(plan, x, weight, bias)
    if of is None:
        return y
    reached = sum(prod(run.phases for run in runs) for runs in classes(of.plan))
    if reached < prod(of.plan.stride) or min(of.plan.lo + of.plan.hi) < 0:
        of.out[...] = of.background(of.plan.rank)
    return y if _run(forward, of, x, of.bias, y) else overlap_add(plan, x, weight, bias)


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Compute x from y and the weight."""
    if not y.dtype.isnative:
        return conv(plan, y.astype(work_dtype(y.dtype)), weight, bias).astype(y.dtype)
    x = np.empty((len(y), *plan.sample_shape), y.dtype)
    of = grouped(plan, x, weight, None, y)
    if of.x.size < x.size:
        x[...] = 0 if bias is None else np.asarray(bias).reshape(-1, *(1,) * (0 if plan.channels_last else plan.rank))
    fill = None if bias is None else np.ascontiguousarray(bias, of.weight.dtype).reshape(plan.groups, -1)
    return x if not len(x) or _run(backward, of, y, fill, x) else conv_by_columns(plan, y, weight, bias)


def _run(way: Callable[..., Tables], of: Operands, given: Any, bias: Any, result: Any) -> bool:
    """Fill the result, or return False where the weight is not finite."""
    # Not before it is needed: importing Numba takes half a second.
    from upconv._lower._numpy._compiled import direct, pack

    given = np.asarray(given)
    if not given.flags.c_contiguous:  # of what is cropped, no more than is taken
        given = np.ascontiguousarray(of.x if way is forward else of.out)
        of = of._replace(**{"x" if way is forward else "out": given})
    groups, ins, outs = of.weight.shape[:3]
    taps = np.ascontiguousarray(of.weight).reshape(groups, -1)
    parts = [(part, _tables(way, part)) for part in _parts(way, of)]
    tables = parts[0][1]  # of which terms and rows are those of all
    packed = np.empty((groups, tables.sizes.packed), taps.dtype)
    shares = _shares(len(tables.blocks), threads=cores() if taps.size > MANY_WEIGHTS else 1)
    finite: Any = np.empty((len(shares), 1), bool)
    packs = zip(shares, finite, strict=True)
    side_by_side([partial(pack, *s, tables, taps, packed, f) for s, f in packs], wake=len(shares) > 1)
    if not finite.all():
        return False
    if bias is None:
        bias = np.zeros((groups, outs if way is forward else ins), packed.dtype)
    tasks = []
    for part, tables in parts:
        views = (part.x, part.out) if way is forward else (part.out, part.x)
        ends = [_steps(view, whole, part) for view, whole in zip(views, (given, result), strict=True)]
        for share in _shares(groups * tables.sizes.pieces, threads=2 * cores() if of.is_much() else 1):
            task = (*share, tables, given.reshape(-1), ends[0], packed, bias, result.reshape(-1), ends[1])
            tasks.append(partial(direct, *task))
    side_by_side(tasks, wake=of.is_much())
    return True


def _planes(plan: Plan) -> tuple[int, int]:
    """Planes that are laid out on each way."""
    phases = prod(map(min, plan.kernel, plan.stride))
    return plan.in_channels // plan.groups, plan.out_channels // plan.groups * phases


def _parts(way: Callable[..., Tables], of: Operands) -> Iterator[Operands]:
    """Halves of lines that are longer than a thread keeps."""
    plan, last = of.plan, of.plan.rank - 1
    rows = prod(n - i + 1 for n, i in zip(grid_of(plan)[:-1], plan.size, strict=False))
    longest = max(_planes(plan)) * rows * grid_of(plan)[last] * of.weight.itemsize
    if longest <= LONGEST or plan.size[last] < 2 or plan.out[last] <= plan.stride[last]:
        yield of
    elif way is forward:
        for half, inputs, outputs in halves(plan, last):
            yield from _parts(way, of._replace(plan=half, x=of.x[..., inputs], out=of.out[..., outputs]))
    else:
        for half, inputs in halves_of_input(plan, last):
            yield from _parts(way, of._replace(plan=half, x=of.x[..., inputs]))


def _tables(way: Callable[..., Tables], of: Operands) -> Tables:
    size = of.weight.itemsize
    x, y = (tuple(step // size for step in view.strides[3:]) for view in (of.x, of.out))
    return way(of.plan, len(of.x), x, y, size)


def _steps(view: Any, whole: Any, of: Operands) -> Steps:
    """Say how to go through an array; a phase of the output has every so many of its columns."""
    size = whole.itemsize
    image, group, channel, *_, column = (step // size for step in view.strides)
    base = (view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // size
    return Steps(image, group, channel, column * (of.plan.stride[-1] if view is of.out else 1), base)


def _shares(n: int, *, threads: int) -> list[tuple[int, int]]:
    threads = max(1, min(threads, n))
    return [(n * k // threads, n * (k + 1) // threads) for k in range(threads)]
