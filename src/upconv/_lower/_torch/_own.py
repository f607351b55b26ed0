"""PyTorch's own ops: `torch.conv_transpose1d` to `3d`, `torch.conv1d` to `3d`, and their common backward.

They take one padding for both sides and an output_padding below max(stride, dilation). Any other crop is made of the
uncropped result, grown and then cropped. On a CPU they add float16 and bfloat16 in their own precision, and round at
each tap: these go through float32, some images at a time, which is faster there too. They know no integers but int64,
no more than three spatial axes and no empty ones. Where the convolution, or the weight's gradient, overhangs the image,
they multiply by zeros, and an inf there reaches every border as a NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from math import prod
from typing import Any

import torch

from upconv._plan import Plan

__all__ = [
    "WIDENED",
    "conv",
    "conv_transpose",
    "conv_weight",
    "derivatives",
    "images_at_a_time",
    "refusal",
    "refusal_conv_weight",
]

OPS = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)
CONVS = (torch.conv1d, torch.conv2d, torch.conv3d)
LARGEST = 2**31 - 1
WIDENED = {torch.float16, torch.bfloat16}
AS_THEY_ARE = {torch.float32, torch.float64}
# Bytes of images that are float32 at a time. 32 channels of eight images of 128 x 128 to 16, each sample to 2 x 2, take
# 12, 13, 14 and 15 ms in parts of 4, 8, 16 and 32 MiB, and 39 in one, for which the system has to clear new pages; 256
# to 128 of 16 x 16 by 4 x 4 at 2 x 2 take 46, 45, 44, 43 and 43 (float16, 2 cores).
PART = 2**23
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
    if x.dtype in AS_THEY_ARE and not plan.symmetric.remains and not plan.channels_last:
        # Most calls, and the small ones, of which each line of Python is a part that one can measure. The op is the one
        # that those for one, two and three axes call, after a microsecond; it has no complex kernel.
        said = plan.symmetric
        return torch.convolution(
            x, weight, bias, plan.stride, said.padding, plan.dilation, True, said.output_padding, plan.groups
        )
    return _image(_conv_transpose, plan, x, weight, bias)


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Call the op on the image as it was before anything was grown and cropped."""
    return _image(_conv, plan, y, weight, bias)


def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
    """Compute the weight's gradient alone."""
    # For its shape alone, but not expanded: the op makes that contiguous (stylegan-32 in float64: 58 MiB, so 40).
    shape = x.new_empty(plan.weight_shape, dtype=torch.float32 if _widens(x) else x.dtype)
    return derivatives(plan, x, shape, y, False, True)[1]


def derivatives(plan: Plan, x: Any, weight: Any, y: Any, by_x: Any, by_weight: Any) -> tuple[Any, Any]:
    """Ask the backward of the transposed op for the gradients by x and by the weight: it is differentiable in turn."""
    if not _widens(x):
        return _derivatives(plan, x, weight, y, by_x, by_weight)
    weight, parts = weight.float(), _parts(plan, x, y)
    if len(parts) == 1:
        return _narrow(x, *_derivatives(plan, x, weight, y, by_x, by_weight))
    dx: list[Any] = []
    dweight: Any = None
    for images in parts:
        of_some, of_all = _derivatives(plan, images[0], weight, images[1], by_x, by_weight)
        dx.extend(_narrow(x, of_some))
        dweight = of_all if dweight is None else dweight.add_(of_all)  # in place: the op made both anew
    return torch.cat(dx) if by_x else None, *_narrow(x, dweight)


def images_at_a_time(plan: Plan, batch: int) -> int:
    """How many images of halves are float32 at a time: parts of one length, but for the last."""
    parts = -(-batch * 4 * (prod(plan.sample_shape) + prod(plan.image_shape)) // PART)
    return batch if parts < 2 else -(-batch // parts)


def _parts(plan: Plan, *images: Any) -> list[tuple[Any, ...]]:
    """Images of 16-bit floats, some at a time; all at once under a tracer, which may not know how many they are."""
    batch = images[0].shape[0]
    if torch.compiler.is_compiling() or type(batch) is not int or (most := images_at_a_time(plan, batch)) >= batch:
        return [images]
    return list(zip(*[image.split(most) for image in images], strict=True))


def _image(call: Callable[..., Any], plan: Plan, image: Any, weight: Any, bias: Any) -> Any:
    """Call with all images, or with parts of halves, and join what is made."""
    if not _widens(image):
        return call(plan, image, weight, bias)
    weight, bias = weight.float(), None if bias is None else bias.float()
    parts = [call(plan, part.float(), weight, bias).type_as(part) for (part,) in _parts(plan, image)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    said, x = plan.symmetric, _first(plan, x)
    inside = None if said.remains else bias  # where the result grows, the bias is for what is appended too
    stride, dilation, padding, more = plan.stride, plan.dilation, said.padding, said.output_padding
    if x.dtype.is_complex:
        y = OPS[plan.rank - 1](x, weight, inside, stride, padding, more, plan.groups, dilation)
    else:
        y = torch.convolution(x, weight, inside, stride, padding, dilation, True, more, plan.groups)
    if said.remains:
        y = _grow_and_crop(plan, y)
        # Either way the result is packed, in its memory format: a crop alone is a view that keeps all of `y` alive.
        y = y.clone() if bias is None else y + bias.reshape(-1, *(1,) * plan.rank)
    return _last(plan, y)


def _conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    said, y = plan.symmetric, _ungrow_and_uncrop(plan, _first(plan, y))
    x = CONVS[plan.rank - 1](y, weight, bias, plan.stride, said.padding, plan.dilation, plan.groups)
    if any(op >= s for op, s in zip(said.output_padding, plan.stride, strict=True)):
        # Windows that fit behind the last one of the plan.
        x = _without(x, [(0, op // s) for op, s in zip(said.output_padding, plan.stride, strict=True)]).clone()
    return _last(plan, x)


def _derivatives(plan: Plan, x: Any, weight: Any, y: Any, by_x: Any, by_weight: Any) -> tuple[Any, Any]:
    if torch.jit.is_tracing():  # to which the backward has an argument of an unknown type
        return _conv(plan, y, weight, None) if by_x else None, _correlation(plan, x, y) if by_weight else None
    said = plan.symmetric
    dx, dweight, _ = torch.ops.aten.convolution_backward(
        _ungrow_and_uncrop(plan, _first(plan, _wide(y))),
        _first(plan, _wide(x)),
        weight,
        None,
        plan.stride,
        said.padding,
        plan.dilation,
        True,  # transposed
        said.output_padding,
        plan.groups,
        (by_x, by_weight, False),
    )
    return _last(plan, dx) if by_x else None, dweight


def _correlation(plan: Plan, x: Any, y: Any) -> Any:
    """The gradient by the weight, as a convolution of ``y`` by ``x``: channels as images, stride and dilation swapped.

    Images are the channels that are summed over.
    """
    said, ins, outs = plan.symmetric, plan.in_channels // plan.groups, plan.out_channels // plan.groups
    x, y = _first(plan, x).transpose(0, 1), _ungrow_and_uncrop(plan, _first(plan, y)).transpose(0, 1)
    taps = [
        CONVS[plan.rank - 1](of_y, of_x, None, plan.dilation, said.padding, plan.stride)
        for of_x, of_y in zip(x.split(ins), y.split(outs), strict=True)
    ]
    return torch.cat(taps, 1)[(..., *map(slice, plan.kernel))].transpose(0, 1)


def _first(plan: Plan, image: Any) -> Any:
    """Channels first: a view, whose strides are PyTorch's channels_last memory format where they were last."""
    return image.movedim(-1, 1) if plan.channels_last else image


def _last(plan: Plan, image: Any) -> Any:
    return image.movedim(1, -1) if plan.channels_last else image


def _wide(array: Any) -> Any:
    return array.float() if _widens(array) else array


def _narrow(like: Any, *arrays: Any) -> tuple[Any, ...]:
    """Round to the dtype of another, in half of the time that `to` takes to be called."""
    return tuple([array if array is None else array.type_as(like) for array in arrays])


def _widens(array: Any) -> bool:
    return array.dtype in WIDENED and array.is_cpu


def _ungrow_and_uncrop(plan: Plan, y: Any) -> Any:
    """Append zeros for what `_grow_and_crop` takes off, then take off what it appends."""
    said = plan.symmetric
    if not said.remains:
        return y
    if any(map(any, said.crop)):
        y = torch.nn.functional.pad(y, tuple(chain.from_iterable(reversed(said.crop))))
    return _without(y, said.grow)


def _grow_and_crop(plan: Plan, y: Any) -> Any:
    grow, crop = plan.symmetric.grow, plan.symmetric.crop
    if any(map(any, grow)):
        y = torch.nn.functional.pad(y, tuple(chain.from_iterable(reversed(grow))))
    return _without(y, crop)


def _without(image: Any, crops: Iterable[tuple[int, int]]) -> Any:
    """Crop samples of each axis, front and back: by no size of the image, so that a traced graph takes any."""
    crops = tuple(crops)
    # The legacy vmap, of batched gradients, has no rule for a view that is the whole.
    return image[(..., *[slice(front, -back or None) for front, back in crops])] if any(map(any, crops)) else image
