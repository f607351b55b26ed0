"""Each library's own op, called with that library's own words, and the arguments of upconv that mean the same.

The words are translated by hand from each library's documentation, checked by running it; upconv is not asked.
"""

import numpy as np


def torch_functional(x, weight, bias, stride, padding, output_padding, groups, dilation):
    """`torch.nn.functional`: upconv's arguments are its own."""
    import torch

    op = getattr(torch.nn.functional, f"conv_transpose{x.ndim - 2}d")
    arguments = (stride, padding, output_padding, groups, dilation)
    return op(x, weight, bias, *arguments), arguments


def torch_module(x, weight, bias, stride, padding, output_size):
    """`torch.nn.ConvTranspose2d` asked for an output_size."""
    import torch

    layer = torch.nn.ConvTranspose2d(*weight.shape[:2], weight.shape[2:], stride, padding, dtype=x.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
        return layer(x, output_size=list(output_size))


def lax_word(x, weight, stride, dilation, word):
    """`jax.lax.conv_transpose` with 'SAME' or 'VALID', on its own kernel layout, (*K, C_in, C_out) and flipped."""
    import jax.numpy as jnp
    from jax import lax

    kernel = jnp.moveaxis(jnp.flip(weight, (2, 3)), (0, 1), (2, 3))
    layout = ("NCHW", "HWIO", "NCHW")
    return lax.conv_transpose(x, kernel, stride, word, rhs_dilation=dilation, dimension_numbers=layout)


def lax_pairs(x, weight, stride, pairs):
    """`jax.lax.conv_transpose` with (a, b) pairs: a crop of ke-1-a and ke-1-b."""
    import jax.numpy as jnp
    from jax import lax

    kernel = jnp.moveaxis(jnp.flip(weight, (2, 3)), (0, 1), (2, 3))
    y = lax.conv_transpose(x, kernel, stride, pairs, dimension_numbers=("NCHW", "HWIO", "NCHW"))
    crops = tuple((k - 1 - a, k - 1 - b) for k, (a, b) in zip(weight.shape[2:], pairs, strict=True))
    return y, crops


def jax_adjoint(x, weight, stride, padding, groups, dilation, out):
    """The adjoint of `jax.lax.conv_general_dilated`, by JAX's own differentiation: it knows groups."""
    import jax
    from jax import lax

    def conv(y):
        pads = [(p, p) for p in padding]
        return lax.conv_general_dilated(y, weight, stride, pads, rhs_dilation=dilation, feature_group_count=groups)

    y = jax.ShapeDtypeStruct((x.shape[0], weight.shape[1] * groups, *out), x.dtype)
    (result,) = jax.linear_transpose(conv, y)(x)
    return result


def tf_op(x, weight, size, stride, padding):
    """`tf.nn.conv_transpose`, channels last: 'SAME' and 'VALID' for the sizes that they admit, or explicit pairs."""
    import tensorflow as tf

    rank = len(stride)
    x = tf.transpose(x, (0, *range(2, rank + 2), 1))
    kernel = tf.transpose(weight, (*range(2, rank + 2), 1, 0))
    size = (x.shape[0], *size, weight.shape[1])
    if isinstance(padding, str):
        y = tf.nn.conv_transpose(x, kernel, size, stride, padding)
    else:
        y = tf.nn.conv2d_transpose(x, kernel, size, stride, [(0, 0), *padding, (0, 0)])
    return tf.transpose(y, (0, rank + 1, *range(1, rank + 1)))


def keras_layer(x, weight, bias, stride, padding, output_padding):
    """`keras.layers.Conv1DTranspose` to 3D, channels last, with upconv's weights."""
    import keras

    rank = len(stride)
    layer = getattr(keras.layers, f"Conv{rank}DTranspose")(
        weight.shape[1], weight.shape[2:], stride, padding, output_padding=output_padding, dtype="float64"
    )
    x = keras.ops.moveaxis(x, 1, -1)
    layer.build(x.shape)
    layer.set_weights([np.moveaxis(weight, (0, 1), (-1, -2)), bias])
    return keras.ops.moveaxis(layer(x), -1, 1)


def gluon_layer(x, weight, bias, stride, padding, output_padding, groups, dilation):
    """`mxnet.gluon.nn.Conv1DTranspose` to 3: upconv's arguments are its own. It works on MXNet's older arrays."""
    from mxnet import gluon

    layer = getattr(gluon.nn, f"Conv{x.ndim - 2}DTranspose")(
        weight.shape[1] * groups,
        weight.shape[2:],
        stride,
        padding,
        output_padding,
        dilation,
        groups,
        use_bias=bias is not None,
        in_channels=x.shape[1],
    )
    layer.cast(x.dtype)
    layer.initialize()
    layer.weight.set_data(weight.as_nd_ndarray())
    if bias is not None:
        layer.bias.set_data(bias.as_nd_ndarray())
    arguments = (stride, padding, output_padding, groups, dilation)
    return layer(x.as_nd_ndarray()), arguments


def largest_difference(ours, theirs):
    """Largest difference relative to the largest value; shapes must agree first."""
    ours, theirs = (a.asnumpy() if hasattr(a, "asnumpy") else np.asarray(a) for a in (ours, theirs))
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max(initial=0) / max(1, np.abs(theirs).max(initial=0))
