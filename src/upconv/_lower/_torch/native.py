"""PyTorch's own op, `torch.conv_transpose1d` to `3d`.

It takes one padding for both sides and an output_padding below max(stride, dilation). Any other crop is made of the
uncropped result, grown and then cropped. On a CPU it adds float16 and bfloat16 in their own precision, and rounds at
each tap: they go through float32, which is faster there too. It knows no integers but int64, no more than three spatial
axes and no empty ones.
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Any

import torch

from upconv._plan import Plan

__all__ = ["conv_transpose", "reason", "refusal", "workspace"]

OPS = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)
LARGEST = 2**31 - 1
WIDENED = {torch.float16, torch.bfloat16}
FLOATING = {torch.float32, torch.float64, torch.complex64, torch.complex128} | WIDENED


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what the op has no kernel for."""
    if plan.rank > len(OPS):
        return f"{plan.rank} spatial axes: PyTorch's op has at most {len(OPS)}"
    if plan.is_empty:
        return "an empty image: PyTorch's op has none"
    if max(*plan.stride, *plan.dilation, *plan.symmetric.padding) > LARGEST:
        return "numbers beyond 32 bits: PyTorch's op has no room for them"
    if x.dtype not in FLOATING and not (x.dtype == torch.int64 and x.device.type == "cpu"):
        return f"{x.dtype} on {x.device.type}: PyTorch's op has no kernel for it"
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    says = f"torch.conv_transpose{plan.rank}d"
    said = plan.symmetric
    if not said.remains:
        return f"{says}, whose own arguments say this crop"
    return f"{says} with padding {said.padding}, then grown by {said.grow} and cropped by {said.crop}"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The op's result, where it is grown or cropped to the one asked for."""
    said = plan.symmetric
    if not said.remains:
        return 0
    grown = (n + sum(crop) for n, crop in zip(plan.out, said.crop, strict=True))
    return batch * plan.out_channels * prod(grown) * itemsize


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Call the op; grow and crop what is left."""
    dtype = x.dtype
    if plan.channels_last:
        x = x.movedim(-1, 1)  # a view, whose strides are PyTorch's channels_last memory format
    widen = dtype in WIDENED and x.device.type == "cpu"
    if widen:
        x, weight, bias = x.float(), weight.float(), bias if bias is None else bias.float()
    said = plan.symmetric
    inside = None if said.remains else bias  # where the result grows, the bias is for what is appended too
    y = OPS[plan.rank - 1](
        x, weight, inside, plan.stride, said.padding, said.output_padding, plan.groups, plan.dilation
    )
    if said.remains:
        y = _grow_and_crop(plan, y)
        # Either way the result is packed, in its memory format: a crop alone is a view that keeps all of `y` alive.
        y = y.clone() if bias is None else y + bias.reshape(-1, *(1,) * plan.rank)
    if widen:
        y = y.to(dtype)
    return y.movedim(1, -1) if plan.channels_last else y


def _grow_and_crop(plan: Plan, y: Any) -> Any:
    grow, crop = plan.symmetric.grow, plan.symmetric.crop
    if any(map(any, grow)):
        y = torch.nn.functional.pad(y, tuple(chain.from_iterable(reversed(grow))))
    for axis, ((front, _), n) in enumerate(zip(crop, plan.out, strict=True), start=2):
        y = y.narrow(axis, front, n)
    return y
