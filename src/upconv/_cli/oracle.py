"""The reference: the definition of a transposed convolution, tap by tap, in a wider dtype, and what may differ from it.

Imports nothing of upconv, and shares no code or formula with what it judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Reference", "reference"]

EPS = {
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float32": 2.0**-23,
    "complex64": 2.0**-23,
    "float64": 2.0**-52,
    "complex128": 2.0**-52,
}
SMALLEST_HALF = 2.0**-24


@dataclass(frozen=True)
class Reference:
    """The exact result, the sum of the magnitudes of its terms, the number of terms of one sample, and the largest."""

    exact: Any
    magnitude: Any
    terms: int
    largest: float

    def by_the_largest(self) -> Reference:
        """What may differ where errors are relative to the largest samples, as those of an FFT."""
        return replace(self, magnitude=self.magnitude + self.largest)

    def error(self, y: Any, dtype: str) -> float:
        """The largest error, in units in the last place of the sum of magnitudes."""
        if dtype not in EPS:
            return 0.0 if self.agrees(y, dtype) else np.inf
        error = np.abs(y - self.exact)
        unreached = np.where(error == 0, 0.0, np.inf)
        units = np.divide(error, EPS[dtype] * self.magnitude, out=unreached, where=self.magnitude > 0)
        return float(units.max(initial=0.0))

    def agrees(self, y: Any, dtype: str) -> bool:
        """Whether every sample is within `tolerance`; integers are equal, wrapped around as their dtype does."""
        if dtype not in EPS:
            return bool(np.array_equal(y, self.exact.astype(dtype)))
        return bool(np.all(np.abs(y - self.exact) <= self.tolerance(dtype)))

    def tolerance(self, dtype: str) -> Any:
        """The error that rounding explains, sample by sample: c * terms * eps * magnitude.

        A dtype of 16 bits is summed as float32 and rounded once. A complex product may be made of three real ones.
        """
        if dtype in ("float16", "bfloat16"):
            return EPS[dtype] * np.abs(self.exact) + SMALLEST_HALF + self.tolerance("float32")
        c = 8 if dtype.startswith("complex") else 2
        return c * self.terms * EPS[dtype] * self.magnitude


def reference(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Reference:
    """Compute the reference; ``x`` is (N, C_in, *size), ``weight`` (C_in, C_out/groups, *kernel), of any dtype."""
    x, weight = _widen(x), _widen(weight)
    bias = np.zeros(weight.shape[1] * groups, weight.dtype) if bias is None else _widen(bias)
    geometry = (tuple(stride), tuple(padding), tuple(dilation), groups)
    taps = int(np.prod(weight.shape[2:]))
    return Reference(
        exact=_scatter(x, weight, bias, *geometry),
        magnitude=_scatter(np.abs(x), np.abs(weight), np.abs(bias), *geometry),
        terms=x.shape[1] // groups * taps + 2,
        largest=float(np.abs(x).max(initial=0) * np.abs(weight).max(initial=0)),
    )


def _widen(array: Any) -> Any:
    """Integers of 64 bits; float64, and long doubles for what is float64 already."""
    kind, bits = array.dtype.kind, 8 * array.dtype.itemsize
    if kind in "iub":
        return array.astype(np.int64)
    if kind == "c":
        return array.astype(np.complex128 if bits <= 64 else np.clongdouble)
    return array.astype(np.float64 if bits <= 32 else np.longdouble)


def _scatter(
    x: Any,
    weight: Any,
    bias: Any,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Any:
    """full[n, g*Og + o, p*s + a*d] += sum_c x[n, g*Cg + c, p] * w[g*Cg + c, o, a], then grow, then crop."""
    (batch, channels, *size), (_, outs, *kernel) = x.shape, weight.shape
    x = x.reshape(batch, groups, channels // groups, *size)
    weight = weight.reshape(groups, channels // groups, outs, *kernel)
    axes = list(zip(size, kernel, stride, dilation, strict=True))
    full = np.zeros((batch, groups, outs, *(max(0, (i - 1) * s + (k - 1) * d + 1) for i, k, s, d in axes)), x.dtype)
    for tap in np.ndindex(*kernel):
        reached = (slice(a * d, a * d + i * s, s) for a, (i, _, s, d) in zip(tap, axes, strict=True))
        full[(..., *reached)] += np.einsum("ngc...,gco->ngo...", x, weight[(..., *tap)])
    full = full.reshape(batch, groups * outs, *full.shape[3:])
    full = np.pad(full, [(0, 0), (0, 0), *((max(0, -lo), max(0, -hi)) for lo, hi in padding)])
    ends = (n - max(0, hi) for n, (_, hi) in zip(full.shape[2:], padding, strict=True))
    kept = (slice(max(0, lo), end) for (lo, _), end in zip(padding, ends, strict=True))
    return full[(..., *kept)] + bias.reshape(-1, *(1,) * len(size))
