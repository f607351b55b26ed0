"""Every refusal of the convolution, of the correlation and of a cotangent, by its text, on every library."""

import numpy as np
import pytest

import upconv
from refusals import refused
from tracing import tracer

X, W, Y = (2, 6, 7, 5), (4, 3, 3, 2), (2, 4, 3, 5)
GROUPS = {"groups": 2}

CONV = [
    ({"weight": (4, 2)}, ValueError, r"`weight` must have at least 3 axes, \(C_out, C_in/groups, \*kernel\); got 2"),
    ({"x": (4, 5)}, ValueError, r"`x` must have 4 axes, \(N, C_in, \*size\), or 3 without the batch; got 2 axes"),
    ({"x": (2, 4, 7, 5)}, ValueError, r"`x` has 4 channels where `weight`, \(4, 3, 3, 2\), takes 3 in each of 2"),
    ({"bias": (3,)}, ValueError, r"`bias` must have shape \(4,\), one value per output channel, got \(3,\)"),
    ({"groups": 3, "x": (2, 9, 7, 5)}, ValueError, "`groups` must divide the 4 output channels, got 3"),
    ({"groups": 0}, ValueError, "`groups` must have every value at least 1, got 0"),
    ({"weight": (4, 3, 0, 2)}, ValueError, "`weight` must have every kernel size at least 1, got 0 on axis 0"),
    (
        {"x": (2, 6, 1, 5)},
        ValueError,
        r"`padding` leaves too little on axis 0: 1 samples padded by \(0, 0\), where the",
    ),
    ({"padding": ((0, 0), (-3, -2))}, ValueError, r"too little on axis 1: 5 samples padded by \(-3, -2\), .* spans 2"),
    ({"x": (2, 6, 1, 5), "padding": "valid"}, ValueError, "`padding` leaves too little on axis 0"),
    ({"padding": "full"}, ValueError, "`padding` must be 'same' or 'valid' where it is a word, got 'full'"),
    (
        {"padding": 2**62},
        ValueError,
        r"an image would have shape \(4, \d+, \d+\), \d+ samples on axis 0, more than \d+ elem",
    ),
    (
        {"stride": (2**63, 1)},
        ValueError,
        "`stride` must have every value at most 9223372036854775807, got 92233720368547758",
    ),
    ({"stride": 0.5}, TypeError, "`stride` must be an int or a tuple of ints, got 0.5"),
    ({"dilation": (1, 2, 3)}, ValueError, "`dilation` must be one int or one for each of the 2 spatial axes"),
    ({"data_format": "NCHW"}, ValueError, "`data_format` must be 'channels_first' or 'channels_last', got 'NCHW'"),
    ({"algorithm": "fast"}, ValueError, r"`algorithm` must be one of 'auto', .*'generic' on \w+, got 'fast'"),
]
CONV_WEIGHT = [
    ({"kernel_size": 3}, TypeError, "`kernel_size` must be a tuple of one int for each spatial axis, got 3"),
    ({"kernel_size": range(10**8)}, ValueError, "`kernel_size` must have one value .* at most 64, got more in a range"),
    ({"kernel_size": (3, range(10**8))}, ValueError, "`kernel_size` must have one value .* more in a range"),
    ({"kernel_size": ()}, TypeError, "`kernel_size` must be a tuple of one int for each spatial axis"),
    ({"kernel_size": ((3, 2), 2)}, TypeError, "`kernel_size` must be a tuple of one int for each spatial axis"),
    ({"kernel_size": (3, 0)}, ValueError, "`kernel_size` must have every value at least 1, got 0 on axis 1"),
    ({"kernel_size": (3,)}, ValueError, r"`x` must have 3 axes, \(N, C_in, \*size\), or 2 without the batch"),
    ({"y": (7, 5)}, ValueError, r"`y` must have 4 axes, \(N, C_out, \*size\), or 3 without the batch"),
    ({"y": (6, 7, 5)}, ValueError, r"`x` and `y` must have one batch, got shapes \(2, 4, 3, 5\) and \(6, 7, 5\)"),
    ({"y": (3, 6, 7, 5)}, ValueError, "`x` and `y` must have one batch"),
    ({"y": (2, 5, 7, 5)}, ValueError, "`groups` must divide the 5 channels of `y`, got 2"),
    ({"groups": 3}, ValueError, "`groups` must divide the 4 input channels, got 3"),
    (
        {"kernel_size": (3, 2**40)},
        ValueError,
        "`kernel_size` must have every value at most 16777216, got 1099511627776 on axis 1",
    ),
    ({"stride": 0}, ValueError, "`stride` must have every value at least 1, got 0"),
    ({"dilation": 2**63}, ValueError, "`dilation` must have every value at most 9223372036854775807"),
    ({"padding": -1}, ValueError, "`padding` must be at least 0, got -1"),
]


def shaped(plain, shapes, changes, names):
    """Arrays of ones for the names, and the other arguments."""
    shapes = shapes | GROUPS | changes
    return {n: plain.make(np.ones(shapes.pop(n))) for n in names if n in shapes}, shapes


@pytest.mark.parametrize("changes, error, text", CONV)
def test_conv(plain, changes, error, text):
    arrays, words = shaped(plain, {"x": X, "weight": W}, changes, ("x", "weight", "bias"))
    with refused(error, text):
        upconv.conv(**arrays, **words)


@pytest.mark.parametrize("changes, error, text", CONV_WEIGHT)
def test_conv_weight(plain, changes, error, text):
    arrays, words = shaped(plain, {"x": Y, "y": X, "kernel_size": (3, 2)}, changes, ("x", "y"))
    with refused(error, text):
        upconv.conv_weight(**arrays, **words)


@pytest.mark.parametrize("changes, error, text", CONV)
def test_a_traced_conv(library, changes, error, text):
    announce, trace = tracer(library)
    shapes = {"x": X, "weight": W} | GROUPS | changes
    arrays = {name: announce(shapes.pop(name), "float32") for name in ("x", "weight", "bias") if name in shapes}
    with refused(error, text):
        trace(lambda *a: upconv.conv(**dict(zip(arrays, a, strict=True)), **shapes), *arrays.values())


@pytest.mark.parametrize("changes, error, text", CONV_WEIGHT)
def test_a_traced_conv_weight(library, changes, error, text):
    announce, trace = tracer(library)
    words = {"x": Y, "y": X, "kernel_size": (3, 2)} | GROUPS | changes
    arrays = [announce(words.pop(name), "float32") for name in ("x", "y")]
    with refused(error, text):
        trace(lambda *a: upconv.conv_weight(*a, **words), *arrays)


def test_fixed_ranks_refuse_others(plain):
    x, weight = plain.make(np.ones(X)), plain.make(np.ones(W))
    for function, rank in ((upconv.conv1d, 1), (upconv.conv3d, 3)):
        with refused(ValueError, f"`weight` must have {rank + 2} axes, .* with {rank} kernel axes; got 4 axes"):
            function(x, weight, groups=2)
    assert tuple(upconv.conv2d(x, weight, groups=2).shape) == (2, 4, 5, 4)


def test_operands_of_several_kinds(plain):
    x, y = np.ones(Y), np.ones(X)
    with refused(TypeError, "`y` must be an array of one of .*, got list"):
        upconv.conv_weight(plain.make(x), y.tolist(), (3, 2), groups=2)
    with refused(TypeError, "`x` has dtype float64 and `y` has float32; convert one of them"):
        upconv.conv_weight(plain.make(x), plain.make(y.astype("float32")), (3, 2), groups=2)
    with refused(TypeError, "`weight` must be an array of one of .*, got NoneType"):
        upconv.conv(plain.make(y), None)


def test_cotangents(plain):
    x, weight = plain.make(np.ones(Y)), plain.make(np.ones(W))
    y, pullback = upconv.vjp(x, weight, groups=2)
    for wrong in (np.ones(Y), np.ones((2, 6, 5)), np.ones(())):
        with refused(ValueError, r"`cotangent` must have the shape of the result, \(2, 6, 5, 6\), got"):
            pullback(plain.make(wrong))
    with refused(TypeError, "the result has dtype float64 and `cotangent` has float32"):
        pullback(plain.make(np.ones(y.shape, "float32")))
    with refused(TypeError, "`cotangent` must be an array of one of"):
        pullback(None)
