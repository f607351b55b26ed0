"""The two ways back tap by tap, over no more than the samples that each tap takes: for what is not finite."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from upconv._lower._numpy._grid import Index, work_dtype
from upconv._plan import Plan

__all__ = ["conv_by_tap", "conv_weight_by_tap"]


def conv_by_tap(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Add each tap's product to x."""
    work = work_dtype(y.dtype)
    x = np.zeros((len(y), *plan.sample_shape), work)
    out, matrix = _by_group(plan, x), _matrix(plan, np.asarray(weight).astype(work, copy=False))
    if bias is not None:
        out += np.asarray(bias).astype(work).reshape(*out.shape[1:3], *(1,) * plan.rank)
    for place, taps, samples in _taps(plan, _by_group(plan, np.asarray(y)), work):
        target = out[place]
        images, groups, channels, *box = target.shape
        found = matrix[taps] @ samples
        target += np.moveaxis(found.reshape(groups, channels, images, *box), 2, 0)
    return x.astype(y.dtype, copy=False)


def conv_weight_by_tap(plan: Plan, x: Any, y: Any) -> Any:
    """Add each tap's product to the weight."""
    work = work_dtype(x.dtype)
    weight = np.zeros(plan.weight_shape, work)
    matrix, images = _matrix(plan, weight), _by_group(plan, np.asarray(x))
    for place, taps, samples in _taps(plan, _by_group(plan, np.asarray(y)), work):
        ours = np.moveaxis(images[place], 0, 2).astype(work, copy=False)
        matrix[taps] += ours.reshape(*ours.shape[:2], -1) @ samples.swapaxes(1, 2)
    return weight.astype(x.dtype, copy=False)


def _by_group(plan: Plan, image: Any) -> Any:
    """Return a view, (N, groups, channels of each, *size)."""
    image = np.moveaxis(image, -1, 1) if plan.channels_last else image
    return image.reshape(image.shape[0], plan.groups, image.shape[1] // plan.groups, *image.shape[2:])


def _matrix(plan: Plan, weight: Any) -> Any:
    """Return a view, (groups, C_in of each, C_out of each, *kernel)."""
    return weight.reshape(plan.groups, weight.shape[0] // plan.groups, *weight.shape[1:])


def _taps(plan: Plan, y: Any, work: Any) -> Iterator[tuple[Index, Index, Any]]:
    """For each tap: the part of x that it reaches, the tap, and the samples of y, (groups, C_out, positions)."""
    if plan.is_empty or not len(y):
        return
    for taps in product(*plan.taps):
        if all(tap.start < tap.stop for tap in taps):
            ends = (tap.lands(s, tap.start, tap.stop) for tap, s in zip(taps, plan.stride, strict=True))
            samples = np.moveaxis(y[(..., *ends)], 0, 2).astype(work)
            place = (..., *(slice(tap.start, tap.stop) for tap in taps))
            yield place, (..., *(tap.a for tap in taps)), samples.reshape(*samples.shape[:2], -1)
