"""How a call is cut into tiles: plain integers.

The columns of a tile are one matrix product, (channels * taps) by (images * samples). A product is cut along its longer
side, because the operand of the other side is read anew for each part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

from upconv._plan import Plan, part

__all__ = ["Tile", "is_direct", "make_tiles"]

# Bytes of the columns that are made at a time. Products of 64 to 128 channels over 16384 samples take 7.0, 7.7 and 7.9
# ms (float32) and 16, 15 and 24 (float64) in parts of 2, 4 and 8 MiB along the samples; one of 512 channels over 1024
# samples with 2304 columns takes 33, 29 and 26 ms in parts along the channels, where each reads all samples (2 cores).
BY_SAMPLES, BY_CHANNELS = 2**22, 2**24
# Bytes of the phases that columns are added to. Whatever is cut for their sake is computed twice where parts overlap.
PHASES = 2**23
# Samples of an image from which on each has a product of its own: fewer are too few, and are copied side by side.
SAMPLES = 256


class Tile(NamedTuple):
    """Some images, groups and channels of each group, and the outputs of a plan that is a part of the whole one."""

    plan: Plan
    images: slice
    groups: slice
    channels: slice
    inputs: tuple[slice, ...]
    outputs: tuple[slice, ...]

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Of images, groups and channels."""
        n, g, c = (each.stop - each.start for each in self[1:4])
        return n, g, c

    @property
    def columns(self) -> int:
        """How many numbers the columns of all its samples are."""
        return prod(self.lengths) * prod(self.plan.kernel) * prod(self.plan.size)

    @property
    def operand(self) -> int:
        """How many numbers all its samples are, which are copied where they are halves, or images are merged."""
        n, g, _ = self.lengths
        return n * g * self.plan.in_channels // self.plan.groups * prod(self.plan.size)

    @property
    def phases(self) -> int:
        """How many numbers these are."""
        return 0 if is_direct(self.plan) else prod(self.lengths) * prod(self.plan.stride) * prod(self.plan.phase_size)

    @property
    def is_wide(self) -> bool:
        """Whether the weight is the longer side, where one image has a product of its own."""
        plan = self.plan
        return plan.out_channels // plan.groups * prod(plan.kernel) > prod(plan.size)

    @property
    def is_merged(self) -> bool:
        """Whether the samples of all images stand side by side in one product, rather than each in one of its own."""
        return self.lengths[0] > 1 and not self.is_depthwise and (self.lengths[1] > 1 or self.is_small)

    @property
    def is_small(self) -> bool:
        """Whether an image is too little for a product of its own, which reads the whole weight."""
        return self.is_wide and prod(self.plan.size) < SAMPLES

    @property
    def is_depthwise(self) -> bool:
        """Whether the product is one by samples: a sum over one channel is no sum."""
        return self.plan.in_channels == self.plan.groups

    def rows(self, itemsize: int) -> int:
        """How many samples of the first axis are taken at a time."""
        most = BY_CHANNELS if self.is_wide or self.lengths[0] > 1 else BY_SAMPLES
        whole = max(1, self.columns, self.operand) * itemsize
        return max(1, min(self.plan.size[0], most * self.plan.size[0] // whole))


def is_direct(plan: Plan) -> bool:
    """Whether columns are the output phase by phase: nothing to add, as where the kernel is the stride."""
    fits = all(n <= i * s for n, i, s in zip(plan.out, plan.size, plan.stride, strict=True))
    return fits and plan.kernel == plan.stride and not any(plan.lo) and set(plan.dilation) == {1}


def make_tiles(plan: Plan, batch: int, itemsize: int) -> Iterator[Tile]:
    """Cut a call into tiles that are small enough."""
    every = tuple(slice(0, n) for n in plan.size), tuple(slice(0, n) for n in plan.out)
    channels = plan.out_channels // plan.groups
    return _halved(Tile(plan, slice(0, batch), slice(0, plan.groups), slice(0, channels), *every), itemsize)


def _halved(tile: Tile, itemsize: int) -> Iterator[Tile]:
    """The tile, or those of its halves."""
    plan, (n, g, c) = tile.plan, tile.lengths
    columns, operand, phases = (number * itemsize for number in (tile.columns, tile.operand, tile.phases))
    size, most = max(1, plan.size[0]), max(columns, phases)
    axis = max(range(plan.rank), key=plan.out.__getitem__)
    several = g > 1 and not tile.is_depthwise and not tile.is_small
    if n > 1 and (several or operand > BY_CHANNELS or (most > BY_CHANNELS and not (tile.is_small and c > 1))):
        halves = _cut(tile, "images")
    elif g > 1 and max(most, operand) > BY_SAMPLES:
        halves = _cut(tile, "groups")
    elif c > 1 and (columns // size > BY_CHANNELS or (tile.is_wide and most > BY_CHANNELS)):
        halves = _cut(tile, "channels")
    elif (max(columns, operand) // size > BY_CHANNELS or phases > PHASES) and plan.out[axis] > plan.stride[axis]:
        halves = _cut_outputs(tile, axis)
    else:
        yield tile
        return
    for half in halves:
        yield from _halved(half, itemsize)


def _cut(tile: Tile, name: str) -> Iterator[Tile]:
    whole: slice = getattr(tile, name)
    middle = (whole.start + whole.stop) // 2
    for half in (slice(whole.start, middle), slice(middle, whole.stop)):
        halved: dict[str, Any] = {name: half}
        yield tile._replace(**halved)


def _cut_outputs(tile: Tile, axis: int) -> Iterator[Tile]:
    # At a multiple of the stride: where the kernel is the stride, there is nothing to add in either half.
    n, s = tile.plan.out[axis], tile.plan.stride[axis]
    middle = max(s, n // 2 // s * s)
    for start, stop in ((0, middle), (middle, n)):
        plan, taken = part(tile.plan, axis, start, stop)
        inputs, outputs = list(tile.inputs), list(tile.outputs)
        inputs[axis] = slice(inputs[axis].start + taken.start, inputs[axis].start + taken.stop)
        outputs[axis] = slice(outputs[axis].start + start, outputs[axis].start + stop)
        yield tile._replace(plan=plan, inputs=tuple(inputs), outputs=tuple(outputs))
