"""The kernel's one argument, ``struct Problem``: 64-bit words in the order of its fields, passed by value."""

from __future__ import annotations

from math import gcd
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
    x, y, weight = ([n // arrays[name].itemsize for n in arrays[name].strides] for name in ("x", "y", "weight"))
    if plan.channels_last:
        x, y = ([each[0], each[-1], *each[1:-1]] for each in (x, y))
    bias = arrays["bias"]
    pointers = [0 if arrays.get(name) is None else arrays[name].data.ptr for name in ARRAYS]
    numbers = [
        *(arrays["x"].shape[0], plan.groups, plan.in_channels // plan.groups, plan.out_channels // plan.groups),
        *(x[0], x[1], y[0], y[1], weight[0], weight[1], 0 if bias is None else bias.strides[0] // bias.itemsize),
        *(int(form.merged), grid.rows, grid.width),
        *(grid.tiles_m, grid.tiles_n, form.splits, arrays["y"].size, _near(plan, form), form.chunk),
    ]
    axes = [
        [i, k, s, d, lo // s, lo % s, out, gcd(s, d), pow(d // gcd(s, d), -1, s // gcd(s, d)), *strides]
        for i, k, s, d, lo, out, *strides in zip(
            plan.size, plan.kernel, plan.stride, plan.dilation, plan.lo, plan.out, x[2:], y[2:], weight[2:], strict=True
        )
    ]
    absent = [1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    words = sum([absent] * (3 - plan.rank) + axes, pointers + numbers)
    problem: Any = np.empty(1, PROBLEM)
    problem["words"] = words
    return problem


def _near(plan: Plan, form: Form) -> int:
    """Of 4, 2 or 1 residues of the last axis, which divide the rows of every slab, the logarithm."""
    s = plan.stride[-1] if form.merged else 1
    return 2 if s % 4 == 0 else 1 if s % 2 == 0 else 0
