"""The weight as the tiles read it, and the weight that keeps it."""

from __future__ import annotations

from typing import Any

import cupy

from upconv._lower._cupy._form import THREADS, Form, spec, word_bytes
from upconv._lower._cupy._grid import Grid
from upconv._lower._cupy._module import kernel
from upconv._lower._cupy._problem import FIELDS, make_problem
from upconv._plan import Plan

__all__ = ["PreparedWeight", "packed", "plain"]

TOTAL = FIELDS.index("total")


class PreparedWeight:
    """A weight, and every layout of it that a call has asked for. It takes the place of ``weight`` and nothing else."""

    __slots__ = ("array", "device", "dtype", "layouts", "shape")
    prepared_for = "cupy"

    def __init__(self, weight: Any) -> None:
        self.array = weight.copy()  # so that a later change to the weight cannot meet an earlier layout
        self.shape, self.dtype, self.device = weight.shape, weight.dtype, weight.device
        self.layouts: dict[tuple[Any, ...], Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the values alone: another process lays them out for a device of its own."""
        return type(self), (self.array,)


def plain(weight: Any) -> Any:
    """The array itself."""
    return weight.array if isinstance(weight, PreparedWeight) else weight


def packed(plan: Plan, form: Form, grid: Grid, arrays: dict[str, Any], weight: Any) -> Any:
    """Lay out the weight in rows of input channels and columns of output channels, or find what was laid out before."""
    if not isinstance(weight, PreparedWeight):
        return _pack(plan, form, grid, arrays)
    spread = plan.stride if form.merged else ()
    key = (form.dtype, form.tensor, plan.groups, spread)
    found = weight.layouts.get(key)
    if found is None:
        found = _pack(plan, form, grid, arrays)
        # Once: the next call may run on a stream that does not wait for this one.
        cupy.cuda.get_current_stream().synchronize()
        weight.layouts[key] = found
    return found


def _pack(plan: Plan, form: Form, grid: Grid, arrays: dict[str, Any]) -> Any:
    words = cupy.empty(grid.words * word_bytes(form) // 4, "float32")
    problem = make_problem(plan, form, grid, arrays | {"packed": words})
    problem["words"][0, TOTAL] = grid.words
    threads = THREADS["pack"]
    kernel(words.device.id, spec(form, "pack"))((-(-grid.words // threads),), (threads,), (problem,))
    return words
