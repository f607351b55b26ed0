"""The entries of the matrix of a transposed convolution: row, column and value of each, by index arithmetic alone."""

from __future__ import annotations

from math import prod
from typing import Any

from array_api_compat import array_namespace

from upconv._plan import Plan, Tap

__all__ = ["sparse_matrix"]

Index = tuple[Any, ...]


def sparse_matrix(plan: Plan, weight: Any, csr: Any) -> Any:
    """Return the matrix in compressed rows, with an entry for each pair of channels, and tap and sample that meet.

    The entries are laid out as (C_in, C_out of a group, then one axis for the meetings of each spatial axis).
    """
    xp = array_namespace(weight)

    def along(axis: int, values: Any) -> Any:
        return xp.reshape(values, (-1, *(1,) * (plan.rank + 1 - axis)))

    axes = [_meetings(xp, taps, s) for taps, s in zip(plan.taps, plan.stride, strict=True)]
    p, a, o = ([along(axis, axes[axis - 2][which]) for axis in range(2, plan.rank + 2)] for which in range(3))
    each = plan.out_channels // plan.groups
    c, k = along(0, xp.arange(plan.in_channels, dtype=xp.int64)), along(1, xp.arange(each, dtype=xp.int64))
    group = c // max(1, plan.in_channels // plan.groups)
    values, columns, rows = xp.broadcast_arrays(
        weight[(c, k, *a)],
        _ravel(plan, c, p, plan.in_channels, plan.size),
        _ravel(plan, group * each + k, o, plan.out_channels, plan.out),
    )
    shape = (prod(plan.image_shape), prod(plan.sample_shape))
    # SciPy's compiled loops know the machine's byte order alone.
    values = values.ravel().astype(values.dtype.newbyteorder("="), copy=False)
    return csr((values, (rows.ravel(), columns.ravel())), shape)


def _meetings(xp: Any, taps: tuple[Tap, ...], s: int) -> tuple[Any, Any, Any]:
    """Input samples, taps and output samples of one axis, where they meet."""
    met = [
        (p := xp.arange(tap.start, tap.stop, dtype=xp.int64), xp.full(p.shape, tap.a), (p + tap.shift) * s + tap.phase)
        for tap in taps
        if tap.start < tap.stop
    ]
    return tuple(map(xp.concat, zip(*met, strict=True))) if met else (xp.arange(0, dtype=xp.int64),) * 3


def _ravel(plan: Plan, channel: Any, places: list[Any], channels: int, size: tuple[int, ...]) -> Any:
    """Number the samples of an image in the order of its memory."""
    number, last = 0 if plan.channels_last else channel, (channel, channels)
    for place, n in (*zip(places, size, strict=True), *((last,) if plan.channels_last else ())):
        number = number * n + place
    return number
