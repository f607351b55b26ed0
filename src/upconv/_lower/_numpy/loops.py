"""The definition in loops, compiled by Numba: for few numbers, where each of NumPy's calls takes longer than the sums.

Nothing is laid out, nothing is multiplied that does not belong together, and no number is too far from another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._numba import DTYPES, missing
from upconv._lower._numpy._readable import readable
from upconv._plan import Plan

__all__ = ["conv", "conv_transpose", "conv_weight", "reason", "refusal", "slow", "workspace"]

DEEP = 3
# Products up to which they are faster than what is prepared first: 8,424 take 52 microseconds and `direct` 157, 39,168
# take 186 and 154.
MANY = 2**14


def refusal(plan: Plan, x: Any) -> str:
    """Take what the loops are compiled for."""
    if x.dtype.name not in DTYPES:
        return f"{x.dtype}: it is compiled for float32 and float64"
    if plan.rank > DEEP:
        return f"{plan.rank} spatial axes: its loops are {DEEP} deep"
    if max(plan.largest, *plan.kernel, *plan.size) >= 2**31:
        return "numbers beyond 32 bits: its sums of their products have 64"
    return missing()


def slow(plan: Plan, x: Any) -> str:
    """Say where it is worth preparing something."""
    batch = len(x) if x.ndim == plan.rank + 2 else 1
    products = batch * prod(plan.size) * prod(plan.weight_shape)
    return "" if products <= MANY else f"for {products} products, one after the other"


def reason(plan: Plan) -> str:
    """Say how."""
    return "the sum as it is defined, in loops compiled by Numba"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """Nothing."""
    return 0


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Add to y."""
    y = _filled((len(x), *plan.image_shape), plan, bias, x.dtype)
    _add().to_y(len(x), _numbers(plan), readable(x, y.dtype), readable(weight, y.dtype), y.reshape(-1))
    return y if x.dtype.isnative else y.astype(x.dtype)


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Add to x."""
    x = _filled((len(y), *plan.sample_shape), plan, bias, y.dtype)
    _add().to_x(len(y), _numbers(plan), x.reshape(-1), readable(weight, x.dtype), readable(y, x.dtype))
    return x if y.dtype.isnative else x.astype(y.dtype)


def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
    """Add to the weight."""
    weight = _filled(plan.weight_shape, plan, None, x.dtype)
    _add().to_weight(len(x), _numbers(plan), readable(x, weight.dtype), weight.reshape(-1), readable(y, weight.dtype))
    return weight if x.dtype.isnative else weight.astype(x.dtype)


class _Add(NamedTuple):
    to_y: Callable[..., None]
    to_x: Callable[..., None]
    to_weight: Callable[..., None]


@lru_cache(maxsize=1)
def _add() -> _Add:
    """Not before it is needed: importing Numba takes half a second."""
    from upconv._lower._numpy._trilinear import WEIGHT, X, Y, add

    return _Add(partial(add, Y), partial(add, X), partial(add, WEIGHT))


def _filled(shape: tuple[int, ...], plan: Plan, bias: Any, dtype: Any) -> Any:
    if bias is None:
        return np.zeros(shape, dtype.newbyteorder("="))
    filled = np.empty(shape, dtype.newbyteorder("="))
    filled[...] = bias if plan.channels_last else bias.reshape(-1, *(1,) * plan.rank)
    return filled


@lru_cache(maxsize=512)
def _numbers(plan: Plan) -> Any:
    """Groups and their channels; the plan's numbers for three axes; steps from sample to sample of x and of y."""
    more = DEEP - plan.rank
    axes = (plan.size, 1), (plan.kernel, 1), (plan.stride, 1), (plan.dilation, 1), (plan.lo, 0), (plan.out, 1)
    lifted = [(*(least,) * more, *numbers) for numbers, least in axes]
    steps = [
        _steps((*(1,) * more, *size), channels, channels_last=plan.channels_last)
        for size, channels in ((plan.size, plan.in_channels), (plan.out, plan.out_channels))
    ]
    channels = plan.groups, plan.in_channels // plan.groups, plan.out_channels // plan.groups
    return np.array([*channels, *(n for numbers in (*lifted, *steps) for n in numbers)], np.int64)


def _steps(size: tuple[int, ...], channels: int, *, channels_last: bool) -> list[int]:
    """From one image to the next, from one channel, and along each axis."""
    sample = channels if channels_last else 1
    along = [sample * prod(size[axis + 1 :]) for axis in range(len(size))]
    return [channels * prod(size), 1 if channels_last else prod(size), *along]
