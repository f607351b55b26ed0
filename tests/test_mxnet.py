"""The call in MXNet's training steps: gradients of many passes added up, by every algorithm and verb."""

import numpy as np
import pytest

import upconv
from cases import CASES

BY_NAME = {case.name: case for case in CASES}
PASSES = 3

pytestmark = pytest.mark.value


@pytest.fixture
def mx(library):
    if library.name != "mxnet":
        pytest.skip(f"{library.name} is not MXNet")
    mxnet = pytest.importorskip("mxnet")
    with mxnet.util.np_shape(True), mxnet.util.np_array(True):
        yield mxnet


def call(case, algorithm, **words):
    return lambda *arrays: upconv.conv_transpose(*arrays, **case.arguments | words, algorithm=algorithm)


def single(mx, function, arrays, cotangent):
    """The gradient of one pass."""
    for array in arrays:
        array.attach_grad()
    with mx.autograd.record():
        y = function(*arrays)
    y.backward(cotangent(y))
    return [array.grad.asnumpy() for array in arrays]


def accumulated(mx, function, arrays, cotangent):
    """The gradients of several passes into one buffer, which holds ones before the first."""
    for array in arrays:
        array.attach_grad("add")
        array.grad[:] = 1
    for _ in range(PASSES):
        with mx.autograd.record():
            y = function(*arrays)
        y.backward(cotangent(y))
    return [array.grad.asnumpy() for array in arrays]


def agrees(mx, function, arrays, tolerance):
    scale = np.random.default_rng(3)
    memory = {}

    def cotangent(y):
        if not memory:
            memory["c"] = mx.np.array(scale.integers(-4, 5, y.shape), dtype=y.dtype, ctx=y.ctx)
        return memory["c"]

    once = single(mx, function, arrays, cotangent)
    assert all(np.any(gradient) or not gradient.size for gradient in once)
    for several, one in zip(accumulated(mx, function, arrays, cotangent), once, strict=True):
        assert several.dtype == one.dtype
        np.testing.assert_allclose(several, 1 + PASSES * one.astype("float64"), rtol=tolerance, atol=tolerance)


def integers(make, dtype, *shapes):
    """Small whole numbers, of which all sums are exact in every dtype."""
    rng = np.random.default_rng(8)
    return [make(rng.integers(-2, 3, shape).astype(dtype)) for shape in shapes]


def taken(function):
    """Skip what the algorithm refuses."""
    try:
        return function()
    except ValueError as error:
        pytest.skip(f"refused: {error}")


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", ["1d", "pairs", "groups", "pairs-negative", "dilated-strided", "3d"])
def test_gradients_are_added(mx, variant, algorithm, name, dtype, data_format):
    case = BY_NAME[name]
    shapes = [np.shape(array) for array in case.arrays()]
    if data_format == "channels_last":
        x = shapes[0]
        at = len(x) - (len(shapes[1]) - 2) - 1
        shapes[0] = (*x[:at], *x[at + 1 :], x[at])
    arrays = integers(variant.make, dtype, *shapes)
    taken(lambda: agrees(mx, call(case, algorithm, data_format=data_format), arrays, 0))
