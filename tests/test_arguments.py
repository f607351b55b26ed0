"""Every refusal of `conv_transpose` about shapes and words, by its text: on every library, eager and traced."""

import numpy as np
import pytest

import upconv
from refusal_rows import GEOMETRY, GIANT, HUGE, SHAPES, W, X
from refusals import refused
from tracing import tracer

ALGORITHMS = [
    ({"algorithm": "fast"}, ValueError, r"`algorithm` must be one of 'auto', .*'generic' on \w+, got 'fast'"),
    ({"algorithm": None}, ValueError, "`algorithm` must be one of"),
    ({"algorithm": np.ones(2)}, ValueError, "`algorithm` must be one of"),
]


def call(plain, **changes):
    shapes = {"x": X, "weight": W, "bias": None} | changes
    arrays = {n: None if shapes[n] is None else plain.make(np.ones(shapes.pop(n))) for n in ("x", "weight")}
    bias = shapes.pop("bias")
    return upconv.conv_transpose(*arrays.values(), None if bias is None else plain.make(np.ones(bias)), **shapes)


@pytest.mark.parametrize("changes, error, text", SHAPES + GEOMETRY + HUGE + ALGORITHMS)
def test_refusals(plain, changes, error, text):
    with refused(error, match=text):
        call(plain, **changes)


@pytest.mark.parametrize("changes, error, text", SHAPES + GEOMETRY + HUGE + GIANT)
def test_output_shape_refuses_the_same(changes, error, text):
    arguments = {"x": X, "weight": W, "bias": None} | changes
    x, weight, bias = (arguments.pop(name) for name in ("x", "weight", "bias"))
    with refused(error, match=text):
        upconv.output_shape(x, weight, bias, **arguments)


@pytest.mark.parametrize("changes, error, text", SHAPES + GEOMETRY + HUGE + GIANT + ALGORITHMS)
def test_a_traced_call_refuses_the_same(library, changes, error, text):
    announce, trace = tracer(library)
    arguments = {"x": X, "weight": W, "bias": None} | changes
    shapes = [arguments.pop(name) for name in ("x", "weight", "bias")]
    arrays = [None if shape is None else announce(shape, "float32") for shape in shapes]
    with refused(error, match=text):
        trace(lambda *a: upconv.conv_transpose(*a, **arguments), *arrays)


# Of an array's shape, of a word's type, and of a number too large for a graph's symbols: two seconds each to compile.
COMPILED = [SHAPES[5], GEOMETRY[6], HUGE[4]]


@pytest.mark.parametrize("changes, error, text", COMPILED)
@pytest.mark.parametrize("how", ["compile", "make_fx"])
def test_a_compiled_call_refuses_the_same(torch, how, changes, error, text):
    from torch.fx.experimental.proxy_tensor import make_fx

    arguments = {"x": X, "weight": W, "bias": None} | changes
    arrays = [None if s is None else torch.ones(s) for s in map(arguments.pop, ("x", "weight", "bias"))]

    def function(*arrays):
        return upconv.conv_transpose(*arrays, **arguments)

    torch.compiler.reset()
    run = torch.compile(function, backend="eager") if how == "compile" else make_fx(function, tracing_mode="fake")
    with refused(error, match=text):
        run(*arrays)


@pytest.mark.parametrize(
    "shape, error, text",
    [
        (None, TypeError, "`x_shape` must be a tuple of ints, got None"),
        (3, TypeError, "`x_shape` must be a tuple of ints, got 3"),
        ((1, 4, 3.0, 5), TypeError, "`x_shape` must be .*, got 3.0"),
        ((1, 4, (3,), 5), TypeError, "`x_shape` must be a tuple of ints"),
        (range(10**8), ValueError, "`x_shape` must have one value for each axis, at most 64, got more in a range"),
        ((1, 4, -3, 5), ValueError, "`x_shape` must have every size at least 0, got -3 on axis 2"),
        ((1, 4, 3, 2**63), ValueError, "`x_shape` must have every size at most 9223372036854775807, got 9"),
    ],
)
def test_refusals_of_shapes(shape, error, text):
    with refused(error, match=text):
        upconv.output_shape(shape, W)


def test_fixed_ranks_refuse_others(plain):
    x, weight = plain.make(np.ones(X)), plain.make(np.ones(W))
    with refused(ValueError, match="`weight` must have 3 axes, .* with 1 kernel axes; got 4"):
        upconv.conv_transpose1d(x, weight)
    with refused(ValueError, match="`weight` must have 5 axes"):
        upconv.conv_transpose3d(x, weight)


def test_an_algorithm_that_does_not_take_the_call(library):
    if library.name == "jax":
        x, weight, text = (1, 4, 3), (4, 2, 3), "`algorithm` 'native': native does not take groups: .* use 'auto'"
        arguments = {"groups": 2}
    elif library.name == "tensorflow":
        x, weight, text = (1, 4, 3), (4, 2, 3), "`algorithm` 'native': native does not take dilation: .* use 'auto'"
        arguments = {"dilation": 2}
    elif library.name == "torch":
        x, weight, text = (1, 2, 2, 2, 2, 2), (2, 2, 1, 1, 1, 2), "native does not take 4 spatial axes: .* at most 3"
        arguments = {}
    elif library.name == "mxnet":
        x, weight, text = (1, 4, 3), (4, 2, 3), "native does not take stride and dilation on one axis: .* use 'auto'"
        arguments = {"stride": 2, "dilation": 2}
    else:
        pytest.skip(f"every algorithm of {library.name} takes every call")
    from libraries import variants

    plain = variants(library.name)[0]
    with refused(ValueError, match=text):
        upconv.conv_transpose(plain.make(np.ones(x)), plain.make(np.ones(weight)), algorithm="native", **arguments)


def test_more_axes_than_the_library_has(plain, library):
    if library.name != "mxnet":
        pytest.skip(f"{library.name} takes any number of axes")
    x, weight = plain.make(np.ones((1, 2, 2, 2, 2, 2))), plain.make(np.ones((2, 2, 1, 1, 1, 2)))
    for algorithm in ("auto", "generic"):
        with refused(ValueError, match=rf"'{algorithm}': generic does not take 4 spatial axes: .* at most 5 axes$"):
            upconv.conv_transpose(x, weight, algorithm=algorithm)


def test_ints_of_other_kinds_are_ints(plain):
    x, weight = plain.make(np.ones(X)), plain.make(np.ones(W))
    strides = [2, np.int64(2), [2, 2], (np.int8(2), 2), np.asarray(2)]
    shapes = {tuple(upconv.conv_transpose2d(x, weight, stride=stride).shape) for stride in strides}
    assert shapes == {(2, 2, 7, 10)}
