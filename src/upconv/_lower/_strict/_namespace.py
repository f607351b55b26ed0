"""What the generic lowering asks of the array API, in functions of every version that array-api-strict knows.

`moveaxis` came with 2023.12. No version makes a complex array of two real ones, but by arithmetic.
"""

from __future__ import annotations

from typing import Any

from array_api_strict import (
    astype,
    concat,
    eye,
    float32,
    imag,
    isnan,
    permute_dims,
    real,
    reshape,
    stack,
    sum,  # noqa: A004
    tensordot,
    where,
    zeros,
)

__all__ = [
    "astype",
    "concat",
    "eye",
    "float32",
    "imag",
    "join",
    "moveaxis",
    "real",
    "reshape",
    "stack",
    "sum",
    "tensordot",
    "zeros",
]


def moveaxis(array: Any, source: int, destination: int) -> Any:
    """Move one axis; both numbers may be negative."""
    order = list(range(array.ndim))
    order.insert(destination % array.ndim, order.pop(source))
    return permute_dims(array, tuple(order))


def join(re: Any, im: Any, dtype: Any) -> Any:
    """Make a complex array of two real ones. A product with 1j would spread inf and NaN."""
    zero = zeros(re.shape, dtype=re.dtype, device=re.device)
    high, low, unknown = im == float("inf"), im == -float("inf"), isnan(im)
    finite = where(high | low | unknown, zero, im)
    y = astype(re, dtype) + astype(finite, dtype) * 1j
    none = zeros(re.shape, dtype=dtype, device=re.device)
    for where_it_is, value in ((high, float("inf")), (low, -float("inf")), (unknown, float("nan"))):
        y = y + where(where_it_is, none + complex(0, value), none)
    return y
