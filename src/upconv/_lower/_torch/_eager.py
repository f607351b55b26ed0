"""A computation on memory as an op of PyTorch: with a gradient, and out of the way of whatever looks on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from upconv._lower._torch._own import WIDENED, derivatives
from upconv._lower._torch._own import conv_transpose as own_op
from upconv._lower._torch._own import refusal as own_refusal
from upconv._plan import Plan

__all__ = ["eagerly", "is_channels_last", "is_watched", "refusal"]

FLOATING = {torch.float32, torch.float64} | WIDENED
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what is not on a CPU, and what PyTorch's op does not take, which may have to stand in."""
    if x.device.type not in ("cpu", "meta"):
        return f"an array on {x.device.type}: it is for a CPU"
    return own_refusal(plan, x) if x.dtype in FLOATING else f"{x.dtype}: it is for real floating numbers"


def eagerly(fill: Callable[..., Any], plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y by a function that no one can trace, or by PyTorch's own op where someone does.

    The way back is that of PyTorch's own op.
    """
    if not _is_plain(x, weight, bias):
        return own_op(plan, x, weight, bias)
    if _wants_gradients(x, weight, bias):
        return _ConvTranspose.apply(fill, plan, x, weight, bias)
    return fill(plan, x, weight, bias)


def is_watched() -> bool:
    """Whether a compiler traces, or `torch.func` transforms; PyTorch has no public word for the second."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()  # noqa: SLF001


def is_channels_last(x: Any) -> bool:
    """Whether the channels of an image are first by its shape, and last in memory."""
    return x.ndim in FORMATS and not x.is_contiguous() and bool(x.is_contiguous(memory_format=FORMATS[x.ndim]))


class _ConvTranspose(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, fill: Callable[..., Any], plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        ctx.plan = plan
        ctx.save_for_backward(x, weight)
        return fill(plan, x, weight, bias)

    @staticmethod
    def backward(ctx: Any, y: Any) -> Any:
        (x, weight), (*_, by_x, by_weight, by_bias) = ctx.saved_tensors, ctx.needs_input_grad
        dx, dweight = derivatives(ctx.plan, x, weight, y, by_x=by_x, by_weight=by_weight)
        return None, None, dx, dweight, _channels(ctx.plan, y) if by_bias else None


def _channels(plan: Plan, image: Any) -> Any:
    """The derivative by the bias: the sum of each channel."""
    return image.sum([n for n in range(image.ndim) if n != (image.ndim - 1 if plan.channels_last else 1)])


def _wants_gradients(*arrays: Any) -> bool:
    return torch.is_grad_enabled() and any(array is not None and array.requires_grad for array in arrays)


def _is_plain(*arrays: Any) -> bool:
    """Whether nothing looks on, and no array is of a subclass, or without memory, or has a tangent."""
    return (
        not is_watched()
        and all(array is None or type(array) in (torch.Tensor, torch.nn.Parameter) for array in arrays)
        and arrays[0].device.type == "cpu"
        and torch.autograd.forward_ad._current_level < 0  # noqa: SLF001
    )
