"""PyTorch's own ops, as `_own` calls them."""

from __future__ import annotations

from math import prod

from upconv._lower._torch._own import conv, conv_transpose, conv_weight, refusal, refusal_conv_weight
from upconv._plan import Plan

__all__ = ["LEAKS", "conv", "conv_transpose", "conv_weight", "reason", "refusal", "refusal_conv_weight", "workspace"]

# oneDNN's transposed convolution of float32 skips no zero where a stride does not divide its kernel; the ways back
# append zeros to the image.
LEAKS = {"conv_transpose": "weight", "conv": "weight", "conv_weight": "x"}


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
