"""Gather and GEMM, in tiles: the two ways back from the images that overlap-add connects.

What the kernel covers of y, laid at each position p of a tile, is gathered into columns, (C_out * taps, positions):

    x      = weight, (C_in, C_out * taps)  @  columns
    weight = x, (C_in, positions)  @  columns.T, summed over the tiles

so taps and channels are added up inside the product, and the workspace is a tile, whatever the image.

Where the kernel overhangs the image the columns hold zeros. Because 0 * inf would leak a NaN out of its receptive
field, a weight or an x that is not finite goes tap by tap instead, over no more than the samples that each tap takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._schedule import ALL, Index, tile_elements, work_dtype
from upconv._plan import Plan

__all__ = ["conv", "conv_weight"]

# Channels are divided before a product has fewer columns than this: BLAS packs its operands for each product anew.
POSITIONS = 256


class _Term(NamedTuple):
    """The part of x, (N, groups, C_in, *size), and of the weight, (groups, C_in, C_out, *kernel), that columns join."""

    x: Index
    weight: Index
    columns: Any


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Add the terms to x."""
    work = work_dtype(y.dtype)
    x = np.zeros((len(y), *plan.sample_shape), work)
    out, matrix = _grouped(plan, x), _matrix(plan, np.asarray(weight).astype(work, copy=False))
    if bias is not None:
        out += np.asarray(bias).astype(work).reshape(*out.shape[1:3], *(1,) * plan.rank)
    for term in _terms(plan, _grouped(plan, np.asarray(y)), work, finite=np.isfinite(matrix).all()):
        ours, target = matrix[term.weight], out[term.x]
        images, groups, channels, *box = target.shape
        found = ours.reshape(groups, channels, -1) @ term.columns
        target += np.moveaxis(found.reshape(groups, channels, images, *box), 2, 0)
    return x.astype(y.dtype, copy=False)


def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
    """Add the terms to the weight."""
    work = work_dtype(x.dtype)
    weight = np.zeros(plan.weight_shape, work)
    matrix, images = _matrix(plan, weight), _grouped(plan, np.asarray(x))
    for term in _terms(plan, _grouped(plan, np.asarray(y)), work, finite=np.isfinite(x).all()):
        target, ours = matrix[term.weight], np.moveaxis(images[term.x], 0, 2).astype(work, copy=False)
        found = ours.reshape(*ours.shape[:2], -1) @ term.columns.swapaxes(1, 2)
        target += found.reshape(target.shape)
    return weight.astype(x.dtype, copy=False)


def _grouped(plan: Plan, image: Any) -> Any:
    """Return a view, (N, groups, channels of each, *size)."""
    image = np.moveaxis(image, -1, 1) if plan.channels_last else image
    return image.reshape(image.shape[0], plan.groups, image.shape[1] // plan.groups, *image.shape[2:])


def _matrix(plan: Plan, weight: Any) -> Any:
    """Return a view, (groups, C_in of each, C_out of each, *kernel)."""
    return weight.reshape(plan.groups, weight.shape[0] // plan.groups, *weight.shape[1:])


def _terms(plan: Plan, y: Any, work: Any, *, finite: bool) -> Iterator[_Term]:
    if plan.is_empty or not len(y):
        return
    if not finite:
        yield from _by_tap(plan, y, work)
        return
    buffer = np.empty(tile_elements(work.itemsize), work)  # one for all tiles: fresh pages cost more than their sums
    for groups, channels, box in _tiles(plan, y.shape, len(buffer)):
        yield _Term(
            (box[0], groups, ALL, *box[1:]), (groups, ALL, channels), _columns(plan, y, groups, channels, box, buffer)
        )


def _by_tap(plan: Plan, y: Any, work: Any) -> Iterator[_Term]:
    for taps in product(*plan.taps):
        if all(tap.start < tap.stop for tap in taps):
            ends = (tap.lands(s, tap.start, tap.stop) for tap, s in zip(taps, plan.stride, strict=True))
            samples = np.moveaxis(y[(..., *ends)], 0, 2).astype(work)
            place = (..., *(slice(tap.start, tap.stop) for tap in taps))
            yield _Term(place, (..., *(tap.a for tap in taps)), samples.reshape(*samples.shape[:2], -1))


def _tiles(plan: Plan, shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, slice, tuple[slice, ...]]]:
    """Divide groups, channels and positions so that no tile's columns, nor its x, have more than ``most`` elements."""
    positions, groups, outs = (shape[0], *plan.size), plan.groups, shape[2]
    taps, ins = prod(plan.kernel), plan.in_channels // plan.groups
    channels = max(1, min(outs, most // (taps * min(prod(positions), POSITIONS))))
    together = max(1, min(groups, most // (max(outs * taps, ins) * prod(positions))))
    room = max(1, most // (together * max(channels * taps, ins)))
    steps: list[int] = []
    for n in reversed(positions):  # whole rows before many rows, so that copies are long
        steps.insert(0, min(n, max(1, room)))
        room //= n
    ranges = [_cut(groups, together), _cut(outs, channels), *map(_cut, positions, steps)]
    for ours, some, *box in product(*ranges):
        yield ours, some, tuple(box)


def _cut(n: int, step: int) -> list[slice]:
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]


def _columns(plan: Plan, y: Any, groups: slice, channels: slice, box: tuple[slice, ...], buffer: Any) -> Any:
    """Gather, for each channel and tap, the samples of y that the positions of the box see through it."""
    source = y[box[0], groups, channels]
    images, places = source.shape[0], box[1:]
    shape = (*source.shape[1:3], *plan.kernel, images, *(span.stop - span.start for span in places))
    size = prod(shape)
    columns = (buffer[:size] if size <= len(buffer) else np.empty(size, buffer.dtype)).reshape(shape)
    columns[...] = 0
    for taps in product(*plan.taps):
        spans = [(max(tap.start, p.start), min(tap.stop, p.stop)) for tap, p in zip(taps, places, strict=True)]
        if all(first < last for first, last in spans):
            ends = (tap.lands(s, *span) for tap, s, span in zip(taps, plan.stride, spans, strict=True))
            target = (ALL, ALL, *(tap.a for tap in taps), ALL)
            target += tuple(
                slice(first - p.start, last - p.start) for (first, last), p in zip(spans, places, strict=True)
            )
            columns[target] = np.moveaxis(source[(..., *ends)], 0, 2)
    return columns.reshape(shape[0], -1, images * prod(shape[-plan.rank :]))
