"""Direct convolution, phase by phase, compiled by Numba: no columns are written, and nothing is added up twice.

Each phase of the output is a dense convolution of the input. The input is laid on the grid of the uncropped output
with zeros behind each line, as many as the kernel overhangs: then the samples that one term of the sum takes, an input
channel at one shift, are one run of memory for many lines, and a product with a row of weights needs no copy of them.
A weight that is not finite would make NaNs of the zeros, and goes to overlap-add.
"""

from __future__ import annotations

from functools import lru_cache, partial
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy import _columns, _window
from upconv._lower._numpy._grid import ALL, grid_of, halves, halves_of_input
from upconv._lower._numpy._operands import Operands, grouped, lifted, operands
from upconv._lower._numpy._phases import classes
from upconv._lower._numpy._tables import TILE_BYTES, Tables, backward, forward
from upconv._lower._numpy._threads import cores, side_by_side
from upconv._plan import Plan

__all__ = ["conv", "conv_transpose", "reason", "refusal", "slow", "workspace"]

# A line of all channels that is longer is divided first.
LONGEST_LINE = 2 * TILE_BYTES


@lru_cache(maxsize=1)
def _missing() -> str:
    return "" if find_spec("numba") else "a call without Numba, which is not installed: pip install 'upconv[numba]'"


def refusal(plan: Plan, x: Any) -> str:
    """Take what it is compiled for."""
    if missing := _missing():
        return missing
    if x.dtype.name not in ("float32", "float64") or not x.dtype.isnative:
        return f"{x.dtype}: it is compiled for float32 and float64"
    return "nothing to multiply" if plan.is_empty or not all(lifted(plan)[0].size) else ""


def slow(plan: Plan, x: Any) -> str:
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "each phase a direct convolution, compiled by Numba"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The input of a piece for each thread, and the weight as it is read."""
    return prod(plan.weight_shape) * itemsize + 2 * cores() * LONGEST_LINE


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y from x and the weight."""
    x = np.ascontiguousarray(x)
    y, of = operands(plan, x, weight, bias)
    if of is None:
        return y
    reached = sum(prod(run.phases for run in runs) for runs in classes(of.plan))
    if reached < prod(of.plan.stride) or min(of.plan.lo + of.plan.hi) < 0:
        of.out[...] = of.background(of.plan.rank)
    return y if _run(forward, of, x, y, of.bias) else _window.conv_transpose(plan, x, weight, bias)


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Compute x from y and the weight."""
    y = np.ascontiguousarray(y)
    x = np.empty((len(y), *plan.sample_shape), y.dtype)
    of = grouped(plan, x, weight, None, y)
    fill = None if bias is None else np.asarray(bias).astype(of.weight.dtype).reshape(plan.groups, -1)
    if of.x.size < x.size or not of.out.size or not of.x.size:
        x[...] = 0 if bias is None else np.asarray(bias).reshape(-1, *(1,) * (0 if plan.channels_last else plan.rank))
    if not (of.x.size and of.out.size):
        return x
    return x if _run(backward, of, y, x, fill) else _columns.conv(plan, y, weight, bias)


def _run(way: Any, of: Operands, given: Any, result: Any, bias: Any) -> bool:
    """Fill the result, or return False where the weight is not finite."""
    from upconv._lower._numpy import _compiled

    groups, ins, outs = of.weight.shape[:3]
    if bias is None:
        bias = np.zeros((groups, outs if way is forward else ins), of.weight.dtype)
    taps = np.ascontiguousarray(of.weight).reshape(groups, -1)
    parts = [(part, _tables_of(way, part)) for part in _short(way, of)]
    tables = parts[0][1]
    packed = np.empty((groups, tables.packed), taps.dtype)
    halves_ = 2 if taps.size > 2**17 else 1
    finite: list[bool] = []
    side_by_side(
        [
            lambda n=n: finite.append(
                _compiled.pack(taps, tables.terms, tables.rows[n::halves_], tables.blocks[n::halves_], packed)
            )
            for n in range(halves_)
        ],
        wake=halves_ > 1,
    )
    if not all(finite):
        return False
    tasks = []
    for part, tables in parts:
        views = (part.x, part.out) if way is forward else (part.out, part.x)
        steps = [_steps(*pair, part.plan.stride[-1] if n == (way is forward) else 1) for n, pair in enumerate(zip(views, (given, result)))]
        pieces = groups * tables.pieces
        threads = min(cores(), pieces) if of.is_much() else 1
        for n in range(threads):
            tasks.append(partial(
                _compiled.direct, n * pieces // threads, (n + 1) * pieces // threads, given.reshape(-1), packed, bias, result.reshape(-1),
                tables.sizes, *steps, tables.starts, tables.blocks, tables.rows, tables.sources, tables.targets,
            ))
    side_by_side(tasks, wake=of.is_much())
    return True


def _short(way: Any, of: Operands) -> Any:
    plan, last = of.plan, of.plan.rank - 1
    planes = of.x.shape[2] if way is forward else of.out.shape[2] * prod(map(min, plan.kernel, plan.stride))
    if planes * grid_of(plan)[last] * of.weight.itemsize > LONGEST_LINE and plan.size[last] > 64:
        if way is forward and plan.out[last] > plan.stride[last]:
            for taken, inputs, outputs in halves(plan, last):
                yield from _short(way, of._replace(plan=taken, x=of.x[..., inputs], out=of.out[..., outputs]))
            return
        if way is backward:
            for taken, inputs in halves_of_input(plan, last):
                yield from _short(way, of._replace(plan=taken, x=of.x[..., inputs]))
            return
    yield of


def _tables_of(way: Any, of: Operands) -> Tables:
    batch, _, ins = of.x.shape[:3]
    size = of.weight.itemsize
    of_x, of_y = (tuple(step // size for step in view.strides) for view in (of.x, of.out))
    return way(of.plan, batch, ins, of.weight.shape[2], of_x, of_y, size)


def _steps(view: Any, whole: Any, stride: int) -> tuple[int, ...]:
    size = whole.itemsize
    base = (view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // size
    images, groups, channels, *_, column = (step // size for step in view.strides)
    return images, groups, channels, column * stride, base
