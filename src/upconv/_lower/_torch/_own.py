"""PyTorch's own ops: `torch.conv_transpose1d` to `3d`, `torch.conv1d` to `3d`, and their common backward.

They take one padding for both sides and an output_padding below max(stride, dilation). Any other crop is made of the
uncropped result, grown and then cropped. On a CPU they add float16 and bfloat16 in their own precision, and round at
each tap: these go through float32, which is faster there too. They know no integers but int64, no more than three
spatial axes and no empty ones. Where the convolution, or the weight's gradient, overhangs the image, they multiply by
zeros, and an inf there reaches every border as a NaN.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch

from upconv._plan import Plan

__all__ = ["WIDENED", "conv", "conv_transpose", "conv_weight", "derivatives", "refusal", "refusal_conv_weight"]

OPS = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)
CONVS = (torch.conv1d, torch.conv2d, torch.conv3d)
LARGEST = 2**31 - 1
WIDENED = {torch.float16, torch.bfloat16}
AS_THEY_ARE = {torch.float32, torch.float64}
FLOATING = {torch.complex64, torch.complex128} | AS_THEY_ARE | WIDENED


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what the op has no kernel for."""
    if plan.rank > len(OPS):
        return f"{plan.rank} spatial axes: PyTorch's op has at most {len(OPS)}"
    if plan.is_empty:
        return "an empty image: PyTorch's op has none"
    if max(*plan.stride, *plan.dilation, *plan.symmetric.padding) > LARGEST:
        return "numbers beyond 32 bits: PyTorch's op has no room for them"
    if plan.far:
        return plan.far
    if x.dtype not in FLOATING and not (x.dtype == torch.int64 and x.device.type == "cpu"):
        return f"{x.dtype} on {x.device.type}: PyTorch's op has no kernel for it"
    return ""


def refusal_conv_weight(plan: Plan, x: Any) -> str:
    """Refuse what the backward has no kernel for, too."""
    real = x.dtype in FLOATING and not x.dtype.is_complex
    return refusal(plan, x) if real else f"{x.dtype}: the backward of PyTorch's op is for real floating numbers"


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Call the op; grow and crop what is left."""
    dtype, said = x.dtype, plan.symmetric
    # The op that those for one, two and three axes call, after a microsecond; it has no complex kernel.
    op, stride, dilation = torch.convolution, plan.stride, plan.dilation
    if dtype in AS_THEY_ARE and not said.remains and not plan.channels_last:
        # Most calls, and the small ones, of which each line of Python is a part that one can measure.
        return op(x, weight, bias, stride, said.padding, dilation, True, said.output_padding, plan.groups)
    if dtype in WIDENED and x.device.type == "cpu":
        x, weight, bias = x.float(), weight.float(), bias if bias is None else bias.float()
    if plan.channels_last:
        x = _first(plan, x)
    inside = None if said.remains else bias  # where the result grows, the bias is for what is appended too
    if dtype.is_complex:
        op = OPS[plan.rank - 1]
        y = op(x, weight, inside, stride, said.padding, said.output_padding, plan.groups, dilation)
    else:
        y = op(x, weight, inside, stride, said.padding, dilation, True, said.output_padding, plan.groups)
    if said.remains:
        y = _grow_and_crop(plan, y)
        # Either way the result is packed, in its memory format: a crop alone is a view that keeps all of `y` alive.
        y = y.clone() if bias is None else y + bias.reshape(-1, *(1,) * plan.rank)
    if y.dtype is not dtype:
        y = y.to(dtype)
    return _last(plan, y) if plan.channels_last else y


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Call the op on the image as it was before anything was grown and cropped."""
    dtype = y.dtype
    y, weight, bias = _first(plan, _wide(y)), _wide(weight), bias if bias is None else _wide(bias)
    said = plan.symmetric
    x = CONVS[plan.rank - 1](
        _ungrow_and_uncrop(plan, y), weight, bias, plan.stride, said.padding, plan.dilation, plan.groups
    )
    if any(op >= s for op, s in zip(said.output_padding, plan.stride, strict=True)):
        x = x[(..., *map(slice, plan.size))].clone()  # windows that fit behind the last one of the plan
    return _last(plan, x.to(dtype))


def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
    """Compute the weight's gradient alone."""
    # For its shape alone, but not expanded: the op makes that contiguous (stylegan-32 in float64: 58 MiB, so 40).
    shape = x.new_empty(plan.weight_shape)
    return derivatives(plan, x, shape, y, False, True)[1]


def derivatives(plan: Plan, x: Any, weight: Any, y: Any, by_x: Any, by_weight: Any) -> tuple[Any, Any]:
    """Ask the backward of the transposed op for the gradients by x and by the weight: it is differentiable in turn."""
    dtype, said = x.dtype, plan.symmetric
    dx, dweight, _ = torch.ops.aten.convolution_backward(
        _ungrow_and_uncrop(plan, _first(plan, _wide(y))),
        _first(plan, _wide(x)),
        _wide(weight),
        None,
        plan.stride,
        said.padding,
        plan.dilation,
        True,  # transposed
        said.output_padding,
        plan.groups,
        (by_x, by_weight, False),
    )
    return _last(plan, dx.to(dtype)) if by_x else None, dweight.to(dtype) if by_weight else None


def _first(plan: Plan, image: Any) -> Any:
    """Channels first: a view, whose strides are PyTorch's channels_last memory format where they were last."""
    return image.movedim(-1, 1) if plan.channels_last else image


def _last(plan: Plan, image: Any) -> Any:
    return image.movedim(1, -1) if plan.channels_last else image


def _wide(array: Any) -> Any:
    return array.float() if array.dtype in WIDENED and array.device.type == "cpu" else array


def _ungrow_and_uncrop(plan: Plan, y: Any) -> Any:
    """Append zeros for what `_grow_and_crop` takes off, then take off what it appends."""
    said = plan.symmetric
    if not said.remains:
        return y
    if any(map(any, said.crop)):
        y = torch.nn.functional.pad(y, tuple(chain.from_iterable(reversed(said.crop))))
    for axis, (front, back) in enumerate(said.grow, start=2):
        y = y.narrow(axis, front, y.shape[axis] - front - back)
    return y


def _grow_and_crop(plan: Plan, y: Any) -> Any:
    grow, crop = plan.symmetric.grow, plan.symmetric.crop
    if any(map(any, grow)):
        y = torch.nn.functional.pad(y, tuple(chain.from_iterable(reversed(grow))))
    for axis, ((front, _), n) in enumerate(zip(crop, plan.out, strict=True), start=2):
        y = y.narrow(axis, front, n)
    return y
