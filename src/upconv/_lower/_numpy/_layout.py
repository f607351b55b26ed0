"""Lay an image out on the grid, a plane for each channel and phase, with zeros where it has no sample."""

from __future__ import annotations

from typing import Any

from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._rows import at_strides, copy, every_fourth, every_second, every_third
from upconv._lower._numpy._tables import Sizes, Steps

__all__ = ["lay"]


@compiled()
def lay(
    laid: Any,
    plane: int,
    sizes: Sizes,
    sources: Any,
    which: tuple[int, int, int],
    lines: tuple[int, int],
    given: Any,
    steps: Steps,
) -> None:
    """Lay out planes ``which[1]:which[2]`` of the group ``which[0]``, of ``plane`` samples, from a line to another."""
    laid[:] = 0
    phases, (group, first, stop), (top, bottom) = len(sources), which, lines
    zero, size = given.dtype.type(0), given.itemsize
    begin, end = max(0, top), min(bottom, sizes.images * sizes.rows)
    base, first_row, first_image = laid.ctypes.data, begin % sizes.rows, begin // sizes.rows * steps.image
    for number in range(first, stop):
        phase = number % phases
        left, samples = sources[phase, 0], sources[phase, 1] - sources[phase, 0]
        of_plane = steps.base + group * steps.group + number // phases * steps.channel + sources[phase, 2]
        source = given.ctypes.data + (of_plane + first_image) * size
        target = (number - first) * plane + (begin - top) * sizes.pitch + left
        # Counted on from line to line, because a division takes as long as the copy of a short line.
        row = first_row
        for _ in range(begin, end):
            place = sources[phase, 3 + row]
            if place >= 0:
                _gather(zero, source + place * size, steps.column, base + target * size, samples)
            target += sizes.pitch
            row += 1
            if row == sizes.rows:
                row = 0
                source += steps.image * size


@compiled()
def _gather(zero: Any, source: int, stride: int, target: int, n: int) -> None:
    if stride == 1:
        copy(zero, source, target, n)
    elif stride == 2:
        every_second(zero, source, target, n)
    elif stride == 3:
        every_third(zero, source, target, n)
    elif stride == 4:
        every_fourth(zero, source, target, n)
    else:
        at_strides(zero, source, stride, target, 1, n)
