"""NumPy's direct convolution, which Numba compiles, on the memory of tensors: on a CPU the two libraries share it.

They run on PyTorch's own threads. As with the tiles, whoever looks on is given its own op, and so is the way back.
"""

from __future__ import annotations

from functools import lru_cache, partial
from importlib.util import find_spec
from math import prod
from typing import Any

import torch

from upconv._lower._torch._choice import slow_direct
from upconv._lower._torch._eager import eagerly, is_channels_last, is_watched
from upconv._lower._torch._eager import refusal as not_here
from upconv._lower._torch._openmp import is_here, side_by_side
from upconv._lower._torch._own import WIDENED, conv, conv_weight
from upconv._plan import Plan, make_plan

__all__ = ["LEAKS", "conv", "conv_transpose", "conv_weight", "reason", "refusal", "slow", "workspace"]

LEAKS = {"conv": "weight", "conv_weight": "x"}  # PyTorch's own op there appends zeros


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what overlap-add does too, what there is no Numba for, and what does not fit."""
    refused = not_here(plan, x)
    if refused or is_watched():
        return refused
    if not find_spec("numba"):
        return "a call without Numba, which is not installed: pip install 'upconv[numba]'"
    from upconv._lower._numpy.direct import limits

    return limits(plan, max(4, x.dtype.itemsize))


def slow(plan: Plan, x: Any) -> str:
    """Say where another is faster."""
    if is_watched():
        return "where a compiler or a transform looks on, and PyTorch's own op has to stand in"
    from upconv._lower._numpy.direct import MOST_THREADS

    if not is_here():
        return "without PyTorch's OpenMP, beside whose threads others have no core: 11.4 ms against 9.4"
    if torch.get_num_threads() > MOST_THREADS:
        return f"on {torch.get_num_threads()} threads, because it takes {MOST_THREADS} at most"
    return slow_direct(plan, x)


def reason(plan: Plan) -> str:
    """Say how."""
    return "each phase a direct convolution of the input, compiled by Numba, on the memory of the tensors"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """What NumPy's takes; of halves all operands and the result in float32 too."""
    from upconv._lower._numpy.direct import workspace as of_numpy

    numbers = batch * (prod(plan.sample_shape) + prod(plan.image_shape)) + prod(plan.weight_shape)
    return of_numpy(plan, batch, max(4, itemsize)) + (4 * numbers if itemsize < 4 else 0)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y."""
    return eagerly(_fill, plan, x, weight, bias)


def _fill(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    from upconv._lower._numpy.direct import fill

    if not plan.channels_last and is_channels_last(x):
        return _fill(_last(plan), x.movedim(1, -1), weight, bias).movedim(-1, 1)
    work = torch.float32 if x.dtype in WIDENED else x.dtype
    y = x.new_empty((x.shape[0], *plan.image_shape), dtype=work)
    x_, weight_, bias_ = (None if a is None else a.detach().resolve_neg().to(work).numpy() for a in (x, weight, bias))
    fill(plan, x_, weight_, bias_, y.numpy(), _team())
    return y.to(x.dtype)


def _team() -> Any:
    """PyTorch's own threads, or as many others."""
    from upconv._lower._numpy.direct import MOST_THREADS, Team, our_team

    threads = min(MOST_THREADS, torch.get_num_threads())
    return Team(threads, partial(side_by_side, threads=threads)) if is_here() else our_team(threads)


@lru_cache(maxsize=512)
def _last(plan: Plan) -> Plan:
    """The plan with channels last."""
    return make_plan(
        in_channels=plan.in_channels,
        out_channels=plan.out_channels,
        groups=plan.groups,
        size=plan.size,
        kernel=plan.kernel,
        stride=plan.stride,
        dilation=plan.dilation,
        out=plan.out,
        lo=plan.lo,
        channels_last=True,
    )
