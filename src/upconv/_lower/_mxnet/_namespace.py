"""MXNet's functions by their names in the array API, as far as the generic lowering calls them."""

from __future__ import annotations

from typing import Any

from mxnet import numpy as np

__all__ = ["astype", "concat", "float32", "moveaxis", "reshape", "stack", "tensordot", "zeros"]

concat = np.concatenate
float32 = np.float32
moveaxis = np.moveaxis
reshape = np.reshape
stack = np.stack


def astype(array: Any, dtype: Any) -> Any:
    """Convert, as a step that `autograd` records."""
    return array.astype(dtype)


def tensordot(a: Any, b: Any, axes: tuple[tuple[int], tuple[int]]) -> Any:
    """Contract an axis of ``a`` with the first of ``b``'s two."""
    if a.dtype.kind == "f":  # no integers here; einsum adds them exactly
        return np.tensordot(a, b, axes)
    return np.einsum("...i,io->...o", np.moveaxis(a, axes[0][0], -1), b)


def zeros(shape: tuple[int, ...], *, dtype: Any, device: Any) -> Any:
    """MXNet calls a device a context."""
    return np.zeros(shape, dtype=dtype, ctx=device)
