"""What the generic lowering asks of the array API, in TensorFlow's ops: array-api-compat does not know TensorFlow.

`tensorflow.experimental.numpy` has most of it, but not all that is needed here, and promotes dtypes on its own terms.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = [
    "astype",
    "concat",
    "eye",
    "float32",
    "imag",
    "join",
    "moveaxis",
    "real",
    "reshape",
    "shape",
    "stack",
    "sum",
    "tensordot",
    "zeros",
]

Shape = tuple[Any, ...]

float32 = tf.float32
reshape = tf.reshape
stack = tf.stack

# TensorFlow multiplies matrices of int32 and int64 alone. Wrapping around early or late gives the same low bits.
WIDER = dict.fromkeys(("int8", "int16", "uint8", "uint16"), tf.int32) | {"uint32": tf.int64, "uint64": tf.int64}


def shape(array: Any) -> Shape:
    """Sizes as ints; a batch that a graph does not know until it runs as a scalar tensor."""
    batch, *sizes = array.shape
    return (tf.shape(array)[0] if batch is None else batch, *sizes)


def zeros(shape: Shape, dtype: Any, device: None) -> Any:
    """Return zeros on the device in scope."""
    return tf.zeros(shape, dtype)


def eye(n: int, dtype: Any, device: None) -> Any:
    """Return the identity on the device in scope."""
    return tf.eye(n, dtype=dtype)


def astype(array: Any, dtype: Any) -> Any:
    """Cast; integers wrap around."""
    return tf.cast(array, dtype)


def concat(arrays: list[Any], axis: int) -> Any:
    """Join along an axis."""
    return tf.concat(arrays, axis)


def imag(array: Any) -> Any:
    """Imaginary part, on the array's own device."""
    with tf.device(array.device):
        return tf.math.imag(array)


def join(re: Any, im: Any, dtype: Any) -> Any:
    """Make a complex array of two real ones."""
    with tf.device(re.device):
        return tf.complex(re, im)


def moveaxis(array: Any, source: int, destination: int) -> Any:
    """Move one axis; both numbers may be negative."""
    order = list(range(len(array.shape)))
    order.insert(destination % len(order), order.pop(source))
    return tf.transpose(array, order)


def real(array: Any) -> Any:
    """Real part, on the array's own device."""
    with tf.device(array.device):
        return tf.math.real(array)


def sum(array: Any, axis: tuple[int, ...] | None = None) -> Any:  # noqa: A001
    """Add along axes; integers stay in their dtype, and wrap around."""
    return tf.reduce_sum(array, axis)


def tensordot(a: Any, b: Any, axes: tuple[tuple[int, ...], tuple[int, ...]]) -> Any:
    """Contract; integers that TensorFlow cannot multiply go through wider ones."""
    wider = WIDER.get(a.dtype.name)
    if wider is None:
        return tf.tensordot(a, b, axes)
    return tf.cast(tf.tensordot(tf.cast(a, wider), tf.cast(b, wider), axes), a.dtype)
