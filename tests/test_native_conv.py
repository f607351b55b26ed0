"""The convolution against each library's own op, in that op's own words."""

import numpy as np
import pytest

import upconv
from natives import largest_difference

pytestmark = pytest.mark.value

GEOMETRIES = [
    ((2, 3, 17), (4, 3, 5), (3,), ((2, 2),), (1,), 1),
    ((2, 6, 9, 10), (4, 3, 3, 2), (2, 3), ((1, 1), (0, 0)), (1, 2), 2),
    ((1, 2, 11, 8), (3, 2, 4, 3), (3, 2), ((2, 0), (1, 3)), (2, 1), 1),
    ((1, 5, 8, 9), (5, 1, 4, 3), (2, 3), ((1, 1), (2, 2)), (1, 1), 5),
    ((1, 4, 5, 6, 4), (4, 2, 2, 3, 1), (2, 1, 3), ((1, 1), (0, 0), (1, 1)), (1, 2, 1), 2),
]


@pytest.fixture
def draw(plain):
    rng = np.random.default_rng(7)
    return lambda *shape: plain.make(rng.standard_normal(shape))


def compare(theirs, x, weight, bias, stride, padding, algorithm, **words):
    """Equal to 1e-13, unless the algorithm does not take the call."""
    try:
        ours = upconv.conv(x, weight, bias, stride, padding, algorithm=algorithm, **words)
    except ValueError as error:
        assert "does not take" in str(error)  # noqa: PT017
        return
    assert largest_difference(ours, theirs) < 1e-13


@pytest.mark.parametrize("x, weight, stride, pads, dilation, groups", GEOMETRIES)
def test_torch_functional(library, draw, algorithm, x, weight, stride, pads, dilation, groups):
    if library.name != "torch":
        pytest.skip("in the session of torch")
    import torch

    x, weight, bias = draw(*x), draw(*weight), draw(weight[0])
    padded = torch.nn.functional.pad(x, [n for pair in reversed(pads) for n in pair])
    op = getattr(torch.nn.functional, f"conv{len(stride)}d")
    theirs = op(padded, weight, bias, stride, 0, dilation, groups)
    compare(theirs, x, weight, bias, stride, pads, algorithm, dilation=dilation, groups=groups)
    if all(lo == hi for lo, hi in pads):
        theirs = op(x, weight, bias, stride, tuple(lo for lo, _ in pads), dilation, groups)
        compare(
            theirs, x, weight, bias, stride, tuple(lo for lo, _ in pads), algorithm, dilation=dilation, groups=groups
        )


@pytest.mark.parametrize("x, weight, stride, pads, dilation, groups", GEOMETRIES)
def test_lax(library, draw, algorithm, x, weight, stride, pads, dilation, groups):
    if library.name != "jax":
        pytest.skip("in the session of jax")
    from jax import lax

    x, weight = draw(*x), draw(*weight)
    words = {"rhs_dilation": dilation, "feature_group_count": groups}
    for ours, theirs in ((pads, pads), ("same", "SAME"), ("valid", "VALID")):
        expected = lax.conv_general_dilated(x, weight, stride, theirs, **words)
        compare(expected, x, weight, None, stride, ours, algorithm, dilation=dilation, groups=groups)


@pytest.mark.parametrize("word", ["same", "valid"])
@pytest.mark.parametrize("size, kernel", [((9, 10), (3, 4)), ((8, 11), (1, 2)), ((10, 9), (5, 2))])
def test_tensorflow_and_keras_words(library, draw, algorithm, word, size, kernel):
    if library.name != "tensorflow":
        pytest.skip("in the session of tensorflow")
    import keras
    import tensorflow as tf

    x, weight = draw(2, 3, *size), draw(4, 3, *kernel)
    last, taps = tf.transpose(x, (0, 2, 3, 1)), tf.transpose(weight, (2, 3, 1, 0))
    theirs = tf.transpose(tf.nn.conv2d(last, taps, (2, 3), word.upper()), (0, 3, 1, 2))
    compare(theirs, x, weight, None, (2, 3), word, algorithm)
    theirs = keras.ops.conv(last, taps, (2, 3), word)
    compare(theirs, last, weight, None, (2, 3), word, algorithm, data_format="channels_last")


@pytest.mark.parametrize("x, weight, stride, pads, dilation, groups", GEOMETRIES[:4])
def test_mxnet(library, plain, algorithm, x, weight, stride, pads, dilation, groups):
    if library.name != "mxnet":
        pytest.skip("in the session of mxnet")
    if any(lo != hi for lo, hi in pads):
        pytest.skip("MXNet's own op pads both sides alike")
    import mxnet as mx

    rng = np.random.default_rng(7)
    x, weight, bias = (plain.make(rng.standard_normal(shape)) for shape in (x, weight, (weight[0],)))
    pad = tuple(lo for lo, _ in pads)
    words = {"num_filter": weight.shape[0], "num_group": groups, "no_bias": False}
    theirs = mx.npx.convolution(x, weight, bias, weight.shape[2:], stride, dilation, pad, **words)
    compare(theirs, x, weight, bias, stride, pad, algorithm, dilation=dilation, groups=groups)
