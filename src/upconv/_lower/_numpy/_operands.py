"""The operands as the algorithms of this folder take them: channels by group, and spatial axes behind them."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._grid import ALL, Index, grid_of, trim, work_dtype
from upconv._plan import Plan, make_plan

__all__ = ["Operands", "grouped", "is_finite", "lifted", "operands"]

# Multiply-adds, and how many of them take as long as to write a column, and to add it.
THREADS = 4_000_000
COLUMN = 16
# Numbers that are looked at together.
BLOCK = 2**16
# Columns of the least line that is divided.
LONGEST_KERNEL = 2**20


class Operands(NamedTuple):
    """Views, and the plan that holds for them; one of x, weight and out is to be written to."""

    plan: Plan
    x: Any  # (N, groups, C_in of each, *size)
    weight: Any  # (groups, C_in, C_out, *kernel), in the dtype to add in
    bias: Any  # (groups, C_out), or None
    out: Any  # (N, groups, C_out, *out)

    def background(self, axes: int) -> Any:
        """The bias before as many axes, or zero."""
        return 0 if self.bias is None else self.bias.reshape(*self.bias.shape, *(1,) * axes)

    def is_much(self) -> bool:
        """Whether there is enough to do for it to be worth waking a thread, which takes some 50 microseconds."""
        macs = len(self.x) * prod(self.plan.size) * self.weight.size
        return macs * (1 + COLUMN / self.x.shape[2]) > THREADS


def operands(plan: Plan, x: Any, weight: Any, bias: Any) -> tuple[Any, Operands | None]:
    """Return the result, to be filled, and what fills it; or the result, filled, where no input reaches it."""
    y = np.empty((len(x), *plan.image_shape), x.dtype)
    of = grouped(plan, np.asarray(x), weight, bias, y)
    if of.x.size and y.size:
        return y, of
    of.out[...] = of.background(of.plan.rank)
    return y, None


def grouped(plan: Plan, x: Any, weight: Any, bias: Any, y: Any) -> Operands:
    """View what of x and of the weight reaches y."""
    work = work_dtype(x.dtype)
    image, out = (np.moveaxis(a, -1, 1) if plan.channels_last else np.asarray(a) for a in (x, y))
    ours, inputs, taps = lifted(plan)
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    return Operands(
        ours,
        image[(ALL, ALL, *inputs)].reshape(len(x), plan.groups, ins, *ours.size),
        np.asarray(weight)[(ALL, ALL, *taps)].astype(work, copy=False).reshape(plan.groups, ins, outs, *ours.kernel),
        None if bias is None else np.asarray(bias).astype(work, copy=False).reshape(plan.groups, outs),
        out.reshape(len(x), plan.groups, outs, *ours.out),
    )


@lru_cache(maxsize=512)
def lifted(plan: Plan) -> tuple[Plan, Index, Index]:
    """Trim the plan, and take a line for an image of one row: it is divided, and its phases lie side by side.

    Not where the kernel is so long that the parts would overlap by more than they are: those lines are streamed.
    """
    plan, inputs, taps = trim(plan)
    if plan.rank == 1 and plan.kernel[0] * (2 * (grid_of(plan)[0] - plan.size[0]) + 1) <= LONGEST_KERNEL:
        plan = make_plan(
            in_channels=plan.in_channels,
            out_channels=plan.out_channels,
            groups=plan.groups,
            size=(1, *plan.size),
            kernel=(1, *plan.kernel),
            stride=(1, *plan.stride),
            dilation=(1, *plan.dilation),
            out=(1, *plan.out),
            lo=(0, *plan.lo),
            channels_last=plan.channels_last,
        )
    return plan, inputs, taps


def is_finite(array: Any) -> bool:
    """Whether no element is infinite or a NaN.

    Block by block, which needs no new pages; and not by `numpy.vdot`, for which BLAS wakes its threads: they wait awake
    for the next call, on the cores of ours. The weight of unet-32 in float64 took 26 ms so, and takes 13 (2 cores).
    """
    if array.dtype.kind in "iu":
        return True
    if not array.flags.c_contiguous:
        return bool(np.isfinite(array).all())
    line = array.reshape(-1)
    return all(bool(np.isfinite(line[n : n + BLOCK]).all()) for n in range(0, line.size, BLOCK))
