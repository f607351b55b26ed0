"""The kernel's one argument, ``struct Problem``: 64-bit words in the order of its fields, passed by value."""

from __future__ import annotations

from functools import lru_cache
from math import gcd, prod
from typing import Any

import numpy as np

from upconv._lower._cupy._form import Form
from upconv._lower._cupy._grid import Grid
from upconv._plan import Plan

__all__ = ["AXIS", "FIELDS", "make_problem"]

ARRAYS = ("x", "weight", "bias", "packed", "y", "partial")
FIELDS = (
    *ARRAYS,
    *("batch", "groups", "ins", "outs"),
    *("x_image", "x_channel", "y_image", "y_channel", "weight_in", "weight_out", "bias_channel"),
    *("merged", "rows", "width"),
    *("tiles_m", "tiles_n", "splits", "total", "near", "chunk"),
)
AXIS = (
    *("size", "kernel", "stride", "dilation", "crop_steps", "crop_rest", "out", "common", "inverse"),
    *("x", "y", "weight"),
)
# A structured array of one element is what CuPy passes by value.
PROBLEM = np.dtype([("words", np.int64, (len(FIELDS) + 3 * len(AXIS),))])


def make_problem(plan: Plan, form: Form, grid: Grid, arrays: dict[str, Any]) -> Any:
    """Fill in the words; an array that the form has no use for is a null pointer."""
    x, y, bias = arrays["x"], arrays["y"], arrays["bias"]
    strides = x.strides, y.strides, arrays["weight"].strides, (0,) if bias is None else bias.strides
    problem = _numbers(plan, form, grid, x.shape[0], x.itemsize, strides).copy()
    problem["words"][0, : len(ARRAYS)] = [0 if arrays.get(name) is None else arrays[name].data.ptr for name in ARRAYS]
    return problem


@lru_cache(maxsize=4096)
def _numbers(
    plan: Plan, form: Form, grid: Grid, batch: int, itemsize: int, strides: tuple[tuple[int, ...], ...]
) -> Any:
    """All but the pointers: a second call with arrays of the same strides makes no list of words again."""
    x, y, weight, (bias,) = ([n // itemsize for n in each] for each in strides)
    if plan.channels_last:
        x, y = ([each[0], each[-1], *each[1:-1]] for each in (x, y))
    numbers = [
        *(batch, plan.groups, plan.in_channels // plan.groups, plan.out_channels // plan.groups),
        *(x[0], x[1], y[0], y[1], weight[0], weight[1], bias),
        *(int(form.merged), grid.rows, grid.width),
        *(grid.tiles_m, grid.tiles_n, form.splits, batch * prod(plan.image_shape), _near(plan, form), form.chunk),
    ]
    axes = [
        [i, k, s, d, lo // s, lo % s, out, gcd(s, d), pow(d // gcd(s, d), -1, s // gcd(s, d)), *distances]
        for i, k, s, d, lo, out, *distances in zip(
            plan.size, plan.kernel, plan.stride, plan.dilation, plan.lo, plan.out, x[2:], y[2:], weight[2:], strict=True
        )
    ]
    absent = [1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    problem: Any = np.zeros(1, PROBLEM)
    problem["words"][0, len(ARRAYS) :] = sum([absent] * (3 - plan.rank) + axes, numbers)
    return problem


def _near(plan: Plan, form: Form) -> int:
    """Of 4, 2 or 1 residues of the last axis, which divide the rows of every slab, the logarithm."""
    s = plan.stride[-1] if form.merged else 1
    return 2 if s % 4 == 0 else 1 if s % 2 == 0 else 0
