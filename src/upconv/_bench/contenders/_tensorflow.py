"""upconv and TensorFlow's own op on its tensors, channels last, which its CPU kernels alone know; in `tf.function`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import upconv
from upconv._bench.layers import Layer
from upconv._bench.task import Call, Task, Unable

__all__ = ["OwnTensorFlow", "UpconvTensorFlow"]


def _own(x: Any, kernel: Any, task: Task) -> Any:
    layer = task.layer
    size = (layer.x[0], *layer.out, layer.weight[1])
    stride, padding = layer.each("stride"), _padding(layer)
    if not isinstance(padding, str):
        pairs = [(0, 0), *zip(padding, padding, strict=True), (0, 0)]
        return tf.nn.conv2d_transpose(x, kernel, size, stride, pairs)
    return tf.nn.conv_transpose(x, kernel, size, stride, padding)


def _padding(layer: Layer) -> str | tuple[int, ...]:
    """The word that crops what the layer crops, or its numbers, which TensorFlow takes in two dimensions alone."""
    if layer.groups > 1 or set(layer.each("dilation")) != {1}:
        raise Unable("no groups, no dilation")
    axes = list(zip(layer.x[2:], layer.out, *map(layer.each, ("stride", "padding")), layer.weight[2:], strict=True))
    if all(out == i * s and p == max(k - s, 0) // 2 for i, out, s, p, k in axes):
        return "SAME"
    if all(p == 0 and out == (i - 1) * s + max(k, s) for i, out, s, p, k in axes):
        return "VALID"
    if layer.rank != 2:
        raise Unable("no such padding")
    return layer.each("padding")


def _upconv(x: Any, weight: Any, task: Task) -> Any:
    return upconv.conv_transpose(x, weight, data_format="channels_last", **task.words)


class OwnTensorFlow:
    """`tf.nn.conv_transpose` with a kernel in its layout, and its derivatives by `tf.GradientTape`."""

    op: Callable[..., Any] = staticmethod(_own)
    transposed = True

    def __init__(self, threads: int) -> None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    def versions(self) -> dict[str, str]:
        return {"tensorflow": tf.__version__}

    def prepare(self, task: Task) -> Call:
        self.verb = task.verb
        x, weight, cotangent = task.values()
        if self.transposed:
            weight = np.moveaxis(weight, (0, 1), (-1, -2))
        x, weight, cotangent = (
            tf.convert_to_tensor(np.ascontiguousarray(a))
            for a in (np.moveaxis(x, 1, -1), weight, np.moveaxis(cotangent, 1, -1))
        )

        def run(x: Any, weight: Any, cotangent: Any) -> Any:
            if task.verb == "forward":
                return self.op(x, weight, task)
            wanted = x if task.verb == "dx" else weight
            with tf.GradientTape() as tape:
                tape.watch(wanted)
                y = self.op(x, weight, task)
            return tape.gradient(y, wanted, cotangent)

        compiled = tf.function(run, autograph=False).get_concrete_function(x, weight, cotangent)
        return lambda: compiled(x, weight, cotangent)

    def to_numpy(self, result: Any) -> Any:
        a = result.numpy()
        a = a if a.dtype.kind == "f" else a.astype(np.float32)
        if self.verb != "dweight":
            return np.moveaxis(a, -1, 1)
        return np.moveaxis(a, (-1, -2), (0, 1)) if self.transposed else a


class UpconvTensorFlow(OwnTensorFlow):
    """`upconv.conv_transpose`, and its derivatives."""

    op = staticmethod(_upconv)
    transposed = False

    def versions(self) -> dict[str, str]:
        return {"upconv": upconv.__version__, "tensorflow": tf.__version__}
