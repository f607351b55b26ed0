"""Lay an image out on the grid, a plane for each channel and phase, with zeros where it has no sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._rows import copy, unweave
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
    for number in range(first, stop):
        phase = number % phases
        left, right = sources[phase, 0], sources[phase, 1]
        of_plane = steps.base + group * steps.group + number // phases * steps.channel + sources[phase, 2]
        for line in range(max(0, top), min(bottom, sizes.images * sizes.rows)):
            source = sources[phase, 3 + line % sizes.rows]
            if source >= 0:
                begin = of_plane + source + line // sizes.rows * steps.image
                place = (number - first) * plane + (line - top) * sizes.pitch + left
                _gather(given, begin, steps.column, laid, place, right - left)


@compiled()
def _gather(given: Any, first: int, stride: int, result: Any, to: int, n: int) -> None:
    zero, source, target = given.dtype.type(0), given.ctypes.data, result.ctypes.data + to * given.itemsize
    if stride == 1:
        copy(zero, source + first * given.itemsize, target, n)
    elif stride == 2:
        unweave(zero, source + first * given.itemsize, target, n)
    else:
        a, s, b = np.uint64(first), np.uint64(stride), np.uint64(to)
        for j in range(np.uint64(n)):
            result[b + j] = given[a + j * s]
