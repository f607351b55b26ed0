"""MXNet's functions by their names in the array API, as far as the generic lowering calls them."""

from __future__ import annotations

from math import prod
from typing import Any

from mxnet import numpy as np

__all__ = ["astype", "concat", "eye", "float32", "moveaxis", "reshape", "stack", "sum", "tensordot", "zeros"]

concat = np.concatenate
float32 = np.float32
moveaxis = np.moveaxis
reshape = np.reshape
stack = np.stack


def astype(array: Any, dtype: Any) -> Any:
    """Convert, as a step that `autograd` records."""
    return array.astype(dtype)


def eye(n: int, *, dtype: Any, device: Any) -> Any:
    """MXNet calls a device a context."""
    return np.eye(n, dtype=dtype, ctx=device)


def sum(array: Any, axis: tuple[int, ...] | None = None) -> Any:  # noqa: A001
    """Add along axes; where an empty array keeps one, MXNet's own sum fails, from a worker thread in a later call."""
    if axis is None or array.size:
        return np.sum(array, axis)
    kept = tuple(n for k, n in enumerate(array.shape) if k not in axis)
    return np.sum(array) + np.zeros(kept, dtype=array.dtype, ctx=array.ctx)


def tensordot(a: Any, b: Any, axes: tuple[tuple[int, ...], tuple[int, ...]]) -> Any:
    """Contract; integers as matrices by `einsum`, because `tensordot` has none."""
    if a.dtype.kind == "f":
        return np.tensordot(a, b, axes)
    left, right = axes
    a, b = np.moveaxis(a, left, tuple(range(-len(left), 0))), np.moveaxis(b, right, tuple(range(len(right))))
    kept_a, kept_b, over = a.shape[: -len(left)], b.shape[len(right) :], prod(b.shape[: len(right)])
    a, b = a.reshape((prod(kept_a), over)), b.reshape((over, prod(kept_b)))
    return np.einsum("ik,kj->ij", a, b).reshape((*kept_a, *kept_b))


def zeros(shape: tuple[int, ...], *, dtype: Any, device: Any) -> Any:
    """MXNet calls a device a context."""
    return np.zeros(shape, dtype=dtype, ctx=device)
