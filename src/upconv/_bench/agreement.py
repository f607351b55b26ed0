"""Whether two results are the same but for rounding: what is wrong is not timed."""

from __future__ import annotations

import numpy as np

__all__ = ["difference", "tolerance"]

# Of the largest value. Loose, because the sums have up to a hundred thousand terms, which some libraries add in the
# dtype itself; a wrong crop or a flipped kernel is of the order of one.
TOLERANCES = {"float64": 1e-10, "float32": 1e-3, "float16": 5e-2, "bfloat16": 1e-1}


def tolerance(dtype: str) -> float:
    """What rounding may explain."""
    return TOLERANCES[dtype]


def difference(one: str, other: str) -> float:
    """Largest difference between two saved results, relative to the largest value; infinite where shapes differ."""
    a, b = np.load(one), np.load(other)
    if a.shape != b.shape:
        return float("inf")
    return float(np.abs(a.astype(np.float64) - b).max(initial=0) / max(float(np.abs(b).max(initial=0)), 1e-30))
