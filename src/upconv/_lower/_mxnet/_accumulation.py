"""Gradients that accumulate, as `grad_req="add"` asks: `astype`, `copy`, `moveaxis` and `tensordot` cannot alone.

Where an operand's gradient is to be added to what it holds, the backward of the first two overwrites, that of
`tensordot` is added twice or not at all, and that of `moveaxis` raises. The backward of `reshape` adds. So an array
that holds a gradient enters the graph through a `reshape` to its own shape, and those ops see no such array.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from mxnet import autograd
from mxnet import numpy as np

__all__ = ["accumulating"]


def accumulating(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Let the gradients of a verb's arrays be written or added, as each array asks."""

    @wraps(verb)
    def call(*arguments: Any) -> Any:
        return verb(*(map(_enter, arguments) if autograd.is_recording() else arguments))

    return call


def _enter(argument: Any) -> Any:
    if isinstance(argument, np.ndarray) and argument.grad is not None:
        return argument.reshape(argument.shape)
    return argument
