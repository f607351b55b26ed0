"""What NumPy's lowering does, worked out once for each plan: tiles, moves and places, as index tuples.

A call on tiny arrays would otherwise spend more on making indices than on its sums.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from upconv._plan import Plan

__all__ = [
    "ALL",
    "Index",
    "Move",
    "Schedule",
    "Tile",
    "make_schedule",
    "row_bytes",
    "tile_elements",
    "too_long",
    "work_dtype",
]

TILE_BYTES = 8 << 20
ALL = slice(None)
Index = tuple[Any, ...]


class Tile(NamedTuple):
    """Images, output channels of one group, and input rows taken at a time."""

    images: int
    channels: int
    rows: int


class Move(NamedTuple):
    """One tap: ``columns[column]`` is added to one phase of the window, from row ``at`` on, at ``place`` in a row."""

    column: Index
    phase: Index
    at: int
    place: Index


class Schedule(NamedTuple):
    """All that follows from the plan, made once: a call on tiny arrays costs little else."""

    tile: Tile
    begin: int  # rows before `begin` and from `end` on are cropped whole
    end: int
    low: int  # input row p reaches the rows p + low to p + low + overlap of the phases
    overlap: int
    covers: bool  # whether every row of the output is written
    moves: tuple[Move, ...]
    phases: tuple[tuple[Index, Index], ...]  # a phase, and its places in the output


def too_long(plan: Plan, itemsize: int) -> int:
    """The longest axis but the first if one row of one channel is more than a tile, else 0."""
    if plan.rank == 1 or sum(row_bytes(plan, itemsize)) <= TILE_BYTES:
        return 0
    axis = max(range(1, plan.rank), key=plan.out.__getitem__)
    return axis if plan.out[axis] > plan.stride[axis] else 0


@lru_cache(maxsize=512)
def make_schedule(plan: Plan, batch: int, itemsize: int) -> Schedule:
    shifts = [tap.shift for tap in plan.taps[0] if tap.start < tap.stop] or [0]
    low, high = min(shifts), max(shifts)
    begin = max(0, -high)
    end = max(begin, min(plan.size[0], plan.phase_size[0] - low))
    moves = [
        Move(
            column=(ALL, *(tap.a for tap in taps), ALL, ALL, *(slice(tap.start, tap.stop) for tap in taps[1:])),
            phase=tuple(tap.phase for tap in taps),
            at=taps[0].shift - low,
            place=tuple(slice(tap.at, tap.at + tap.stop - tap.start) for tap in taps[1:]),
        )
        for taps in product(*plan.taps)
        if all(tap.start < tap.stop for tap in taps)
    ]
    phases = [
        (phase, (ALL, ALL, *(slice(r, None, s) for r, s in zip(phase, plan.stride, strict=True))))
        for phase in product(*map(range, plan.stride))
    ]
    if not moves:
        end = begin
    covers = begin < end and low <= 0 and end + high >= plan.phase_size[0]
    return Schedule(_tile(plan, batch, itemsize), begin, end, low, high - low, covers, tuple(moves), tuple(phases))


def row_bytes(plan: Plan, itemsize: int) -> tuple[int, int]:
    """Bytes of columns and of window that one row of one image and output channel takes."""
    columns = prod(plan.kernel) * prod(plan.size[1:]) * itemsize
    return columns, prod(plan.stride) * prod(plan.phase_size[1:]) * itemsize


def _tile(plan: Plan, batch: int, itemsize: int) -> Tile:
    """Take as many rows as fit, then as many images; where not even one row of all channels fits, fewer channels."""
    row = max(1, sum(row_bytes(plan, itemsize)))
    channels = max(1, min(plan.out_channels // plan.groups, TILE_BYTES // row))
    rows = max(1, min(plan.size[0], TILE_BYTES // (row * channels)))
    images = max(1, min(batch, TILE_BYTES // (row * channels * rows))) if rows >= plan.size[0] else 1
    return Tile(images, channels, rows)


def tile_elements(itemsize: int) -> int:
    """How many numbers a tile has at most."""
    return max(1, TILE_BYTES // itemsize)


@lru_cache(maxsize=64)
def work_dtype(dtype: Any) -> Any:
    """The dtype to add in; bfloat16 goes by its name, because it is not NumPy's own."""
    return np.dtype("float32") if dtype.name in ("float16", "bfloat16") else dtype.newbyteorder("=")
