"""One matrix product gives the columns, what each tap makes of each sample; columns of one output are added.

Output ``q*s + r`` is sample ``q`` of phase ``r``, and all taps of one shift add to one window of their phases: an axis
takes one addition for each of its about k/s shifts, and none where the kernel is the stride. Then phases interleave.

On a CPU PyTorch's own op is slow where it has few output channels or many phases, and has no fast path for float64. The
tiles here are written in place, so whatever is traced, mapped or differentiated in forward mode is left to that op, and
so is the way back: there it adds no columns.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch

from upconv._lower._torch._eager import eagerly, is_watched, refusal
from upconv._lower._torch._own import conv, conv_weight
from upconv._lower._torch._scatter import scatter
from upconv._lower._torch._schedule import additions, make_schedule
from upconv._lower._torch._tiles import is_direct
from upconv._plan import Plan

__all__ = ["LEAKS", "conv", "conv_transpose", "conv_weight", "reason", "refusal", "slow", "workspace"]

LEAKS = {"conv": "weight", "conv_weight": "x"}  # PyTorch's own op there appends zeros


def slow(plan: Plan, x: Any) -> str:
    """Say where PyTorch's own op is faster; every figure is of two cores."""
    if is_watched():
        return "where a compiler or a transform looks on, and PyTorch's own op has to stand in"
    ins, outs, samples = plan.in_channels // plan.groups, plan.out_channels // plan.groups, prod(plan.size)
    columns = x.shape[0] * plan.out_channels * prod(plan.kernel) * samples
    direct, many = is_direct(plan), prod(plan.stride) >= 64
    if x.dtype == torch.float64:
        # PyTorch's own op makes the same columns, but adds them on one thread. Many small windows cost as much.
        if columns < (100_000 if many else 300_000):
            return f"in float64 for {columns} columns: 0.1 ms against 0.01 for few"
        if not direct and ins * outs >= 2**18:
            return f"in float64 from {ins} channels to {outs}: 655 ms against 423 for 512 to 512, 32 x 32, 3 x 3"
        if not direct and (plan.rank > 2 or not (many or ins == 1 or ins >= 256 or samples >= 512)):
            return "in float64 for small images: 1.9 ms against 1.2 for 64 channels, 4 x 4 x 4, a kernel of 3 x 3 x 3"
        return ""
    if ins * columns < (10_000_000 if plan.rank > 2 and not direct else 2_000_000):
        return f"for {ins * columns} products: 0.1 ms against 0.01 for few"
    dense, strided = plan.groups == 1, max(plan.stride) > 1
    if outs <= 3 and ins >= 16 and (strided or (plan.rank <= 2 and x.shape[0] * samples >= 4096)):
        return ""  # 12 ms against 3 for 128 channels to 3, of 16 images of 32 x 32
    if dense and direct and plan.rank <= 2 and ins * columns >= 15_000_000:
        return ""  # 40 ms against 20 for 128 channels to 64, 128 x 128, each sample to 2 x 2
    if dense and ins >= 16 and many:
        return ""  # 8.0 ms against 6.4 for 21 channels, 32 x 32, a kernel of 16 x 16 at a stride of 8
    if dense and strided and plan.rank <= 2 and ins >= 256 and samples >= 512:
        return ""  # 107 ms against 80 for 512 channels, two images of 32 x 32, a kernel of 3 x 3 at a stride of 2
    return (
        f"from {ins} channels to {outs} at stride {plan.stride}: 14 ms against 8 for 64 channels, 128 x 128, stride 1"
    )


def reason(plan: Plan) -> str:
    """Say how."""
    n = additions(plan)
    adds = "no addition" if is_direct(plan) else f"{n} addition{'s' * (n != 1)} by output phase"
    return f"matrix products for all {prod(plan.kernel)} taps, {adds}"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The columns of a tile, and the phases that they are added to; of halves, a tile and the weight in float32 too."""
    schedule = make_schedule(plan, batch, max(4, itemsize))
    widened = schedule.operand + prod(plan.weight_shape) if itemsize < 4 else 0
    return (schedule.columns + schedule.phases + widened) * max(4, itemsize)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y."""
    return eagerly(scatter, plan, x, weight, bias)
