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

from upconv._lower._torch._choice import slow_overlap_add
from upconv._lower._torch._eager import WATCHED, Verb, eagerly, refusal
from upconv._lower._torch._own import conv, conv_weight, derivatives
from upconv._lower._torch._own import conv_transpose as own_op
from upconv._lower._torch._scatter import scatter
from upconv._lower._torch._schedule import additions, make_schedule
from upconv._lower._torch._tiles import is_direct
from upconv._lower._torch._watch import is_watched
from upconv._plan import Plan

__all__ = ["LEAKS", "conv", "conv_transpose", "conv_weight", "reason", "refusal", "slow", "workspace"]

LEAKS = {"conv": "weight", "conv_weight": "x"}  # PyTorch's own op there appends zeros
VERB = Verb(scatter, own_op, derivatives)


def slow(plan: Plan, x: Any) -> str:
    """Say where PyTorch's own op is faster."""
    if is_watched():
        return WATCHED
    return slow_overlap_add(plan, x)


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
    return eagerly(VERB, plan, x, weight, bias)
