"""MXNet's own op, `mxnet.npx.deconvolution`, which `gluon.nn.Conv2DTranspose` runs; checked on MXNet 1.9.1, on a CPU.

It takes one pad for both sides and an adj below the stride. Any other crop is made of the uncropped result, grown and
then cropped; its own `target_shape` mostly raises. On a CPU it knows neither float16, which goes through float32, nor
channels last. A stride and a dilation above 1 on one axis give wrong values without a word, unless oneDNN runs the
call. Three spatial axes are oneDNN's alone, and undilated.

oneDNN, which runs float32, fails where the weight is a view of another array, and its gradient where the weight was
computed. An error comes late, from a worker thread, and may end the process. So the weight is copied, and where
autograd records, float32 goes through float64, which oneDNN does not run.
"""

from __future__ import annotations

import os
from math import prod
from typing import Any

import mxnet as mx
from mxnet import numpy as np

from upconv._lower._mxnet._accumulation import accumulating
from upconv._plan import Plan

__all__ = ["conv_transpose", "reason", "refusal", "workspace"]

LARGEST = 2**31 - 1
# What MXNet asks itself, once, before its first call.
ONEDNN = mx.runtime.Features().is_enabled("MKLDNN") and os.environ.get("MXNET_MKLDNN_ENABLED", "1") != "0"


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what the op has no kernel for, or a wrong one."""
    if plan.is_empty or x.shape[0] == 0:
        return "an empty image or batch: MXNet's op has none, and oneDNN fails at it in a later call"
    if x.dtype.kind != "f":
        return f"{x.dtype}: MXNet's op has no kernel for integers"
    if any(s > 1 and d > 1 for s, d in zip(plan.stride, plan.dilation, strict=True)):
        return "stride and dilation on one axis: MXNet's op gives wrong values for both together"
    if plan.largest > LARGEST:
        return "numbers beyond 32 bits: MXNet's op has no room for them"
    if plan.far:
        return plan.far
    if any(op >= s for op, s in zip(plan.symmetric.output_padding, plan.stride, strict=True)):
        return "an output_padding that is not below the stride: MXNet's op has none"
    return _refuse_rank(plan, x) if plan.rank > 2 else ""


def _refuse_rank(plan: Plan, x: Any) -> str:
    if plan.rank > 3:
        return f"{plan.rank} spatial axes: MXNet's op has at most 3"
    if max(plan.dilation) > 1:
        return "dilation on 3 spatial axes: MXNet's op has none"
    if mx.autograd.is_recording():
        return "3 spatial axes where autograd records: the gradient of MXNet's op may fail"
    if not ONEDNN or x.dtype == np.float64:
        return f"{x.dtype} on 3 spatial axes: MXNet's op has them in float32 alone, by oneDNN"
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    said = plan.symmetric
    if not said.remains:
        return "mxnet.npx.deconvolution, whose own arguments say this crop"
    return f"mxnet.npx.deconvolution with pad {said.padding}, then grown by {said.grow} and cropped by {said.crop}"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The op's result, where it is grown or cropped to the one asked for."""
    said = plan.symmetric
    if not said.remains:
        return 0
    grown = (n + sum(crop) for n, crop in zip(plan.out, said.crop, strict=True))
    return batch * plan.out_channels * prod(grown) * itemsize


@accumulating
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Call the op; grow and crop what is left."""
    with mx.util.np_shape(True):  # otherwise a batch of 0 is one of unknown size to MXNet
        dtype, work = x.dtype, _work(x)
        if plan.channels_last:
            x = np.moveaxis(x, -1, 1)
        if work != dtype:
            x, weight, bias = (array if array is None else array.astype(work) for array in (x, weight, bias))
        elif ONEDNN:
            weight = weight.copy()
        y = _call(plan, x, weight, bias)
        y = y if y.dtype == dtype else y.astype(dtype)
        return np.moveaxis(y, 1, -1) if plan.channels_last else y


def _work(x: Any) -> Any:
    """The dtype to compute in."""
    if ONEDNN and mx.autograd.is_recording():
        return np.float64
    return np.float32 if x.dtype == np.float16 else x.dtype


def _call(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    said = plan.symmetric
    inside = bias is not None and not said.remains  # where the result grows, the bias is for what is appended too
    y = mx.npx.deconvolution(
        *((x, weight, bias) if inside else (x, weight)),
        kernel=plan.kernel,
        stride=plan.stride,
        dilate=plan.dilation,
        pad=said.padding,
        adj=said.output_padding,
        num_filter=plan.out_channels,
        num_group=plan.groups,
        no_bias=not inside,
    )
    if said.remains:
        y = _grow_and_crop(plan, y)
        y = y if bias is None else y + bias.reshape(-1, *(1,) * plan.rank)
    return y


def _grow_and_crop(plan: Plan, y: Any) -> Any:
    grow, crop = plan.symmetric.grow, plan.symmetric.crop
    if any(map(any, grow)):
        y = np.pad(y, ((0, 0), (0, 0), *grow))
    return y[(..., *(slice(front, front + n) for (front, _), n in zip(crop, plan.out, strict=True)))]
