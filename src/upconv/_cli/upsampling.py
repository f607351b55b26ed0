"""Bilinear upsampling as one transposed convolution, what it should give, and what a library makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from upconv import conv_transpose2d, explain
from upconv._cli import Wrong
from upconv._cli.arrays import Arrays
from upconv._cli.oracle import Reference, reference

__all__ = ["Result", "Upsampling"]

CHANNELS = 3
# So many calls are timed, fewer where they take longer than this.
REPEATS, SECONDS = 3, 2.0


class Result(NamedTuple):
    """What one library made of the photograph, and what is wrong with it."""

    image: Any
    device: str
    algorithm: str
    milliseconds: float
    against_oracle: float
    against_own: float | None
    fault: str


class Upsampling:
    """The call that every library makes: depthwise, one group for each colour."""

    def __init__(self, photo: Any, factor: int) -> None:
        # The kernel of FCN (Long, Shelhamer, Darrell 2015), which is Caffe's BilinearFiller.
        k = 2 * factor - factor % 2
        taps = 1 - np.abs(np.arange(k) - (k - 1) / 2) / factor
        self.weight = np.broadcast_to(np.outer(taps, taps), (CHANNELS, 1, k, k)).astype(np.float32)
        self.x = np.pad(photo, ((0, 0), (1, 1), (1, 1)), mode="edge")[None]  # or the borders would darken
        crop = (factor + k) // 2  # what exceeds the photograph, factor times its size, is the same on all sides
        self.geometry: dict[str, Any] = {
            "stride": (factor, factor),
            "padding": ((crop, crop), (crop, crop)),
            "groups": CHANNELS,
            "dilation": (1, 1),
        }
        self.expected = reference(self.x, self.weight, **self.geometry)

    def run(self, arrays: Arrays) -> Result:
        """Upsample by one library, time it, and compare with the oracle and with the library's own op."""
        with arrays.settings():
            x, weight = arrays.make(self.x, "float32"), arrays.make(self.weight, "float32")

            def upsample() -> Any:
                return arrays.finish(conv_transpose2d(x, weight, **self.geometry))

            y = arrays.to_numpy(upsample())
            if y.shape != self.expected.exact.shape:
                raise Wrong(f"the result is {y.shape} and the oracle's {self.expected.exact.shape}")
            own = self._own(arrays, x, weight)
            return Result(
                image=y[0],
                device=arrays.device(x),
                algorithm=explain(x, weight, **self.geometry).algorithm,
                milliseconds=1000 * _median_seconds(upsample),
                against_oracle=self.expected.error(y, "float32"),
                against_own=None if own is None else own.error(y, "float32"),
                fault=_fault("the oracle", self.expected, y) or ("" if own is None else _fault("its own op", own, y)),
            )

    def _own(self, arrays: Arrays, x: Any, weight: Any) -> Reference | None:
        """The library's own op as a second reference, with rounding errors of its own."""
        y = arrays.own(x, weight, self.geometry["stride"][0], self.geometry["padding"][0][0])
        if y is None:
            return None
        exact = arrays.to_numpy(arrays.finish(y)).astype(np.float64)
        return replace(self.expected, exact=exact, terms=2 * self.expected.terms)


def _median_seconds(call: Callable[[], Any]) -> float:
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < SECONDS:
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return median(seconds)


def _fault(name: str, expected: Reference, y: Any) -> str:
    if expected.agrees(y, "float32"):
        return ""
    _, channel, row, column = np.unravel_index(np.abs(y - expected.exact).argmax(), y.shape)
    return (
        f"{expected.error(y, 'float32'):.3g} units in the last place off {name}, where rounding explains "
        f"{2 * expected.terms}; most at row {row}, column {column} of channel {channel}"
    )
