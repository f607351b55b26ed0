"""The sum that connects x, weight and y, as it is written, in loops that Numba compiles.

    y[o] += x[p] * weight[a]   where   o = p*s + a*d - lo   is inside the output

Each verb goes through the same triples of samples, and adds the product of two to the third.
"""

from __future__ import annotations

from typing import Any

from upconv._lower._numpy._numba import compiled

__all__ = ["WEIGHT", "X", "Y", "add"]

Y, X, WEIGHT = range(3)


@compiled()
def add(which: int, images: int, numbers: Any, x: Any, weight: Any, y: Any) -> None:
    """Add to one of the three; ``numbers`` are as `loops` lists them, and the arrays are lines of memory."""
    groups, ins, outs = numbers[0], numbers[1], numbers[2]
    size, kernel, s, d, lo, out = (
        numbers[3:6],
        numbers[6:9],
        numbers[9:12],
        numbers[12:15],
        numbers[15:18],
        numbers[18:21],
    )
    of_x, of_y = numbers[21:26], numbers[26:31]
    for image in range(images):
        for channel in range(groups * ins):
            for o in range(outs):
                to = image * of_y[0] + (channel // ins * outs + o) * of_y[1]
                tap = (channel * outs + o) * kernel[0] * kernel[1] * kernel[2]
                for a in range(kernel[0]):
                    first, stop = _bounds(a * d[0] - lo[0], s[0], size[0], out[0])
                    for b in range(kernel[1]):
                        top, bottom = _bounds(b * d[1] - lo[1], s[1], size[1], out[1])
                        for c in range(kernel[2]):
                            left, right = _bounds(c * d[2] - lo[2], s[2], size[2], out[2])
                            w, total = weight[tap], weight.dtype.type(0)
                            for p in range(first, stop):
                                for q in range(top, bottom):
                                    row = image * of_x[0] + channel * of_x[1] + p * of_x[2] + q * of_x[3]
                                    line = (
                                        to
                                        + (p * s[0] + a * d[0] - lo[0]) * of_y[2]
                                        + (q * s[1] + b * d[1] - lo[1]) * of_y[3]
                                        + (c * d[2] - lo[2]) * of_y[4]
                                    )
                                    for r in range(left, right):
                                        i, j = row + r * of_x[4], line + r * s[2] * of_y[4]
                                        if which == Y:
                                            y[j] += x[i] * w
                                        elif which == X:
                                            x[i] += y[j] * w
                                        else:
                                            total += x[i] * y[j]
                            if which == WEIGHT:
                                weight[tap] += total
                            tap += 1


@compiled()
def _bounds(at: int, s: int, size: int, out: int) -> tuple[int, int]:
    """Inputs from which on, and up to which, a tap at that place reaches the output."""
    return max(0, -(at // s)), min(size, (out - 1 - at) // s + 1)
