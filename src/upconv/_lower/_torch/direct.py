"""NumPy's direct convolution, which Numba compiles, on the memory of tensors: on a CPU the two libraries share it.

They run on PyTorch's own threads. As with the tiles, whoever looks on is given PyTorch's own op. The three verbs are
each other's derivatives, and there the faster one is taken, PyTorch's or this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from importlib.util import find_spec
from math import prod
from typing import Any

import torch

from upconv._lower._torch._choice import slow_direct, slow_direct_conv, slow_direct_conv_weight
from upconv._lower._torch._eager import WATCHED, Verb, eagerly, is_channels_last
from upconv._lower._torch._eager import refusal as not_here
from upconv._lower._torch._openmp import is_here, side_by_side
from upconv._lower._torch._own import WIDENED, images_at_a_time
from upconv._lower._torch._own import conv as own_conv
from upconv._lower._torch._own import conv_transpose as own_conv_transpose
from upconv._lower._torch._own import conv_weight as own_conv_weight
from upconv._lower._torch._watch import is_watched
from upconv._plan import Plan, make_plan

__all__ = [
    "LEAKS",
    "conv",
    "conv_transpose",
    "conv_weight",
    "reason",
    "refusal",
    "slow",
    "slow_conv",
    "slow_conv_weight",
    "workspace",
]

LEAKS = {"conv": "weight", "conv_weight": "x"}  # where PyTorch's own op stands in, which appends zeros


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
    return _slow_here(plan) or slow_direct(plan, x)


def slow_conv(plan: Plan, y: Any) -> str:
    """Say where PyTorch's own op is faster on the way back."""
    return _slow_here(plan) or slow_direct_conv(plan, y)


def slow_conv_weight(plan: Plan, x: Any) -> str:
    """Say where PyTorch's own op gives the weight faster."""
    return _slow_here(plan) or slow_direct_conv_weight(plan, x)


def _slow_here(plan: Plan) -> str:
    if is_watched():
        return WATCHED
    from upconv._lower._numpy.direct import MOST_THREADS, slow_tables

    if not is_here():
        return "without PyTorch's OpenMP, beside whose threads others have no core: 11.4 ms against 9.4"
    if torch.get_num_threads() > MOST_THREADS:
        return f"on {torch.get_num_threads()} threads, because it takes {MOST_THREADS} at most"
    return slow_tables(plan)


def reason(plan: Plan) -> str:
    """Say how."""
    return "each phase a direct convolution of the input, compiled by Numba, on the memory of the tensors"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """What NumPy's takes; of halves the weight and some images of both sides in float32 too."""
    from upconv._lower._numpy.direct import workspace as of_numpy

    if itemsize >= 4:
        return of_numpy(plan, batch, itemsize)
    images = images_at_a_time(plan, batch)
    numbers = images * (prod(plan.sample_shape) + prod(plan.image_shape)) + prod(plan.weight_shape)
    return of_numpy(plan, images, 4) + 4 * numbers


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y."""
    return eagerly(CONV_TRANSPOSE, plan, x, weight, bias)


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Compute x from y and the weight."""
    return eagerly(CONV, plan, y, weight, bias)


def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
    """Compute the weight from x and y."""
    return eagerly(CONV_WEIGHT, plan, x, y, None)


def _back_conv_transpose(plan: Plan, x: Any, weight: Any, given: Any, by_x: Any, by_weight: Any) -> tuple[Any, Any]:
    return _dx(plan, given, weight) if by_x else None, _dweight(plan, x, given) if by_weight else None


def _back_conv(plan: Plan, y: Any, weight: Any, given: Any, by_y: Any, by_weight: Any) -> tuple[Any, Any]:
    return _dy(plan, given, weight) if by_y else None, _dweight(plan, given, y) if by_weight else None


def _back_conv_weight(plan: Plan, x: Any, y: Any, given: Any, by_x: Any, by_y: Any) -> tuple[Any, Any]:
    return _dx(plan, y, given) if by_x else None, _dy(plan, x, given) if by_y else None


def _dy(plan: Plan, x: Any, weight: Any) -> Any:
    return (own_conv_transpose if slow(plan, x) else conv_transpose)(plan, x, weight, None)


def _dx(plan: Plan, y: Any, weight: Any) -> Any:
    return (own_conv if slow_conv(plan, y) else conv)(plan, y, weight, None)


def _dweight(plan: Plan, x: Any, y: Any) -> Any:
    return (own_conv_weight if slow_conv_weight(plan, x) else conv_weight)(plan, x, y)


def _fill(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    from upconv._lower._numpy.direct import fill

    if not plan.channels_last and is_channels_last(x):
        return _fill(_last(plan), x.movedim(1, -1), weight, bias).movedim(-1, 1)
    return _computed(fill, plan, plan.image_shape, x, weight, bias)


def _fill_conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    from upconv._lower._numpy.direct import fill_conv

    if not plan.channels_last and is_channels_last(y):
        return _fill_conv(_last(plan), y.movedim(1, -1), weight, bias).movedim(-1, 1)
    return _computed(fill_conv, plan, plan.sample_shape, y, weight, bias)


def _fill_conv_weight(plan: Plan, x: Any, y: Any, _: None) -> Any:
    from upconv._lower._numpy.direct import fill_conv_weight

    return _computed(fill_conv_weight, plan, None, x, y)


def _computed(fill: Callable[..., None], plan: Plan, image: tuple[int, ...] | None, *operands: Any) -> Any:
    """Make the result, images of a shape or a weight, and fill it; halves are added in float32."""
    arrays: list[Any] = [None if a is None else a.detach().resolve_neg() for a in operands]
    first = arrays[0]
    if first.dtype in WIDENED and (most := images_at_a_time(plan, len(first))) < len(first):
        return _computed_in_parts(fill, plan, image, most, *arrays)
    work = torch.float32 if first.dtype in WIDENED else first.dtype
    result = first.new_empty((len(first), *image) if image else plan.weight_shape, dtype=work)
    _call(fill, plan, *arrays, result)
    return result.to(first.dtype)


def _computed_in_parts(
    fill: Callable[..., None], plan: Plan, image: tuple[int, ...] | None, most: int, first: Any, *others: Any
) -> Any:
    """The same of halves, of which some images are float32 at a time; what is made of them shares one buffer."""
    wide = first.new_empty((most, *image) if image else plan.weight_shape, dtype=torch.float32)
    if image:
        result = first.new_empty((len(first), *image))
        others = tuple([None if a is None else a.float() for a in others])
        for images, place in zip(first.split(most), result.split(most), strict=True):
            _call(fill, plan, images, *others, wide[: len(images)])
            place.copy_(wide[: len(images)])
        return result
    total = torch.zeros_like(wide)
    for x, y in zip(first.split(most), others[0].split(most), strict=True):
        _call(fill, plan, x, y, wide)
        total += wide
    return total.to(first.dtype)


def _call(fill: Callable[..., None], plan: Plan, *tensors: Any) -> None:
    """Fill the last of them, with its precision."""
    work = tensors[-1].dtype
    fill(plan, *[None if a is None else a.to(work).numpy() for a in tensors], _team())


def _own_conv_weight(plan: Plan, x: Any, y: Any, _: None) -> Any:
    return own_conv_weight(plan, x, y)


CONV_TRANSPOSE = Verb(_fill, own_conv_transpose, _back_conv_transpose)
CONV = Verb(_fill_conv, own_conv, _back_conv)
CONV_WEIGHT = Verb(_fill_conv_weight, _own_conv_weight, _back_conv_weight)


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
