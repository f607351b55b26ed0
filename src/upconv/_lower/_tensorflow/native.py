"""TensorFlow's own ops, `tf.nn.conv2d_transpose`, also for one axis, and `tf.nn.conv3d_transpose`.

They take channels last, the kernel as (*K, C_out, C_in), and the output's size, from which the crop must follow. In 2-D
explicit padding says any crop in front, and behind any that appends less than a stride; 'SAME' and 'VALID' are said
where they mean the crop, because TFLite converts nothing else and 3-D has nothing else. What they cannot say is grown
and cropped from the whole result. float16 and bfloat16 go through float32.

They have no groups and no integers, and their CPU kernels no dilation; a graph does not know yet where it will run.
"""

from __future__ import annotations

from math import prod
from typing import Any

import tensorflow as tf

from upconv._plan import Plan

__all__ = ["LEAKS", "conv_transpose", "reason", "refusal", "workspace"]

# Said as VALID, 3 x 4 taps at a stride of 2 x 3 carry an inf of the weight to outputs that none of its terms reach.
LEAKS = {"conv_transpose": "weight"}
OPS = ("tf.nn.conv2d_transpose", "tf.nn.conv2d_transpose", "tf.nn.conv3d_transpose")
HALVES = ("float16", "bfloat16")
FLOATING = ("float32", "float64", *HALVES)
LARGEST = 2**31 - 1
Pairs = list[tuple[int, int]]


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what the ops have no kernel for."""
    if plan.rank > len(OPS):
        return f"{plan.rank} spatial axes: TensorFlow's ops have at most {len(OPS)}"
    if plan.groups > 1:
        return "groups: TensorFlow's ops have none"
    if max(plan.dilation) > 1:
        return "dilation: TensorFlow's kernels for CPUs have none"
    if plan.is_empty:
        return "an empty image: TensorFlow's ops refuse or size it otherwise"
    if plan.largest > LARGEST:
        return "numbers beyond 32 bits: TensorFlow's ops have no room for them"
    if plan.far:
        return plan.far
    return "" if x.dtype.name in FLOATING else f"{x.dtype.name}: TensorFlow's ops are for real floating numbers"


def reason(plan: Plan) -> str:
    """Say how."""
    op = OPS[plan.rank - 1]
    _, _, grow, crop = _words(plan)
    if not any(map(any, grow + crop)):
        return f"{op}, whose own arguments say this crop"
    return f"{op}, then grown by {grow} and cropped by {crop}"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The kernel, and input and result where their channels move, and the result before it is cropped."""
    _, size, grow, crop = _words(plan)
    kernel = plan.in_channels * plan.out_channels * prod(plan.kernel)
    moved = 0 if plan.channels_last else plan.in_channels * prod(plan.size) + plan.out_channels * prod(plan.out)
    whole = plan.out_channels * prod(size) if any(map(any, grow + crop)) else 0
    return (kernel + batch * (moved + whole)) * max(4, itemsize)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Call the op with channels last; grow and crop what is left."""
    dtype, last = x.dtype, [0, *range(2, plan.rank + 2), 1]
    if dtype.name in HALVES:
        x, weight, bias = (a if a is None else tf.cast(a, tf.float32) for a in (x, weight, bias))
    if not plan.channels_last:
        x = tf.transpose(x, last)
    y = _op(plan, x, tf.transpose(weight, [*range(2, plan.rank + 2), 1, 0]))
    if bias is not None:
        y = y + bias  # after growing, because it is for what is appended too
    if not plan.channels_last:
        y = tf.transpose(y, [0, plan.rank + 1, *range(1, plan.rank + 1)])
    return tf.cast(y, dtype)


def _op(plan: Plan, x: Any, kernel: Any) -> Any:
    padding, size, grow, crop = _words(plan)
    known = x.shape[0]
    batch = tf.shape(x)[0] if known is None else known
    if not known:
        # The op's gradient by an empty batch has the shape of its result: one image of zeros takes the place of none.
        x = tf.concat([x, tf.zeros((tf.maximum(1 - batch, 0), *plan.size, plan.in_channels), x.dtype)], 0)
    images = known or tf.maximum(batch, 1)
    flat = (1,) if plan.rank == 1 else ()  # one spatial axis is the second of two
    if flat:
        x = tf.reshape(x, (images, 1, *plan.size, plan.in_channels))
    op = tf.nn.conv3d_transpose if plan.rank == 3 else tf.nn.conv2d_transpose
    if flat:
        kernel = kernel[None, ...]
    y = op(x, kernel, (images, *flat, *size, plan.out_channels), (*flat, *plan.stride), padding)
    if flat:
        y = tf.reshape(y, (images, *size, plan.out_channels))
    if not known:
        y = y[:batch]
    if any(map(any, grow)):
        y = tf.pad(y, [(0, 0), *grow, (0, 0)])
    if any(map(any, crop)):
        y = y[(slice(None), *(slice(lo, lo + n) for (lo, _), n in zip(crop, plan.out, strict=True)))]
    return y


def _words(plan: Plan) -> tuple[str | Pairs, list[int], Pairs, Pairs]:
    """Return the op's padding and size, and what is grown and then cropped from its result."""
    none = [(0, 0)] * plan.rank
    axes = list(zip(plan.stride, plan.lo, plan.hi, plan.out, strict=True))
    # A word before pairs that mean the same, because TFLite converts no pairs.
    if all(lo == 0 and -s < hi <= 0 for s, lo, hi, _ in axes):
        return "VALID", list(plan.out), none, none
    if all(_is_same(*axis) for axis in zip(plan.size, *zip(*axes, strict=True), strict=True)):
        return "SAME", list(plan.out), none, none

    def say(s: int, lo: int, hi: int, out: int) -> tuple[tuple[int, int], int, tuple[int, int], tuple[int, int]]:
        if plan.rank < 3 and lo >= 0 and hi > -s:
            return (lo, max(0, hi)), out, (0, 0), (0, 0)
        return (0, 0), out + lo + hi, (max(0, -lo), max(0, -hi)), (max(0, lo), max(0, hi))

    pads, size, grow, crop = map(list, zip(*(say(*axis) for axis in axes), strict=True))
    if not any(map(any, pads)):
        return "VALID", size, grow, crop
    return [(0, 0), *[(0, 0)] * (2 - plan.rank), *pads, (0, 0)], size, grow, crop


def _is_same(i: int, s: int, lo: int, hi: int, out: int) -> bool:
    """Whether 'SAME' crops so: `out` is a size of which the convolution gives i, and the larger half goes behind."""
    return (i - 1) * s < out <= i * s and lo == max(0, lo + hi) // 2
