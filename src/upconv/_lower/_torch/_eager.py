"""A computation on memory as an op of PyTorch: with a gradient, and out of the way of whatever looks on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from upconv._lower._torch._own import WIDENED
from upconv._lower._torch._own import refusal as own_refusal
from upconv._lower._torch._watch import is_plain
from upconv._plan import Plan

__all__ = ["WATCHED", "Verb", "eagerly", "is_channels_last", "refusal"]

FLOATING = {torch.float32, torch.float64} | WIDENED
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
WATCHED = "where a compiler, a mode or a transform looks on, and PyTorch's own op has to stand in"


class Verb(NamedTuple):
    """A map that is linear in each of two operands; functions of a plan, the operands, and a bias or None."""

    fill: Callable[..., Any]  # computes on memory, and no one can trace it
    own: Callable[..., Any]  # PyTorch's own op
    # In place of the bias the cotangent, then whether each derivative is asked for.
    back: Callable[..., tuple[Any, Any]]


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what is not on a CPU, and what PyTorch's op does not take, which may have to stand in."""
    if x.device.type not in ("cpu", "meta"):
        return f"an array on {x.device.type}: it is for a CPU"
    return own_refusal(plan, x) if x.dtype in FLOATING else f"{x.dtype}: it is for real floating numbers"


def eagerly(verb: Verb, plan: Plan, first: Any, second: Any, bias: Any) -> Any:
    """Compute by a function that no one can trace, or by PyTorch's own op where someone does."""
    if not is_plain(first, second, bias):
        return verb.own(plan, first, second, bias)
    if _wants_gradients(first, second, bias):
        return _Eager.apply(verb, plan, first, second, bias)
    return verb.fill(plan, first, second, bias)


def is_channels_last(x: Any) -> bool:
    """Whether the channels of an image are first by its shape, and last in memory."""
    return x.ndim in FORMATS and not x.is_contiguous() and bool(x.is_contiguous(memory_format=FORMATS[x.ndim]))


class _Eager(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, verb: Verb, plan: Plan, first: Any, second: Any, bias: Any) -> Any:
        ctx.verb, ctx.plan = verb, plan
        ctx.save_for_backward(first, second)
        return verb.fill(plan, first, second, bias)

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        *_, by_first, by_second, by_bias = ctx.needs_input_grad
        found = ctx.verb.back(ctx.plan, *ctx.saved_tensors, cotangent, by_first, by_second)
        return None, None, *found, _channels(ctx.plan, cotangent) if by_bias else None


def _channels(plan: Plan, image: Any) -> Any:
    """The derivative by the bias: the sum of each channel."""
    return image.sum([n for n in range(image.ndim) if n != (image.ndim - 1 if plan.channels_last else 1)])


def _wants_gradients(*arrays: Any) -> bool:
    return torch.is_grad_enabled() and any(array is not None and array.requires_grad for array in arrays)
