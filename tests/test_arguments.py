"""Every refusal, by its text, on every library; and every `raise` of the package is reached by one of them."""

import ast
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import upconv
from refusals import REACHED, refused
from upconv import _arguments, _dispatch, _geometry, _operands, _padding

X, W = (2, 4, 3, 5), (4, 2, 3, 2)


class Yes:
    """A bool of a library that lets it count: PyTorch's is an index."""

    dtype = "bool"

    def __index__(self):
        return 1


ENDLESS = []
ENDLESS.append(ENDLESS)

# What is changed about a legal call; the error; its text.
SHAPES = [
    ({"weight": (4, 2)}, ValueError, r"`weight` must have at least 3 axes, \(C_in, C_out/groups, \*kernel\); got 2"),
    ({"weight": (4,)}, ValueError, "`weight` must have at least 3 axes"),
    ({"x": (4, 5)}, ValueError, r"`x` must have 4 axes, \(N, C_in, \*size\), or 3 without the batch; got 2 axes"),
    ({"x": (1, 2, 4, 3, 5)}, ValueError, "`x` must have 4 axes"),
    ({"x": (4, 5), "data_format": "channels_last"}, ValueError, r"`x` must have 4 axes, \(N, \*size, C_in\)"),
    ({"x": (2, 3, 3, 5)}, ValueError, r"`x` has 3 channels where `weight`, \(4, 2, 3, 2\), has 4 on its first axis"),
    ({"x": (2, 4, 3, 5), "data_format": "channels_last"}, ValueError, "`x` has 5 channels"),
    ({"weight": (4, 2, 0, 2)}, ValueError, r"`weight` must have every kernel size at least 1, got 0 on axis 0 of"),
    ({"bias": (3,)}, ValueError, r"`bias` must have shape \(2,\), one value per output channel, got \(3,\)"),
    ({"bias": (2, 1)}, ValueError, r"`bias` must have shape \(2,\)"),
    ({"bias": ()}, ValueError, r"`bias` must have shape \(2,\)"),
]
GEOMETRY = [
    ({"groups": 3}, ValueError, "`groups` must divide the 4 input channels, got 3"),
    ({"groups": 0}, ValueError, "`groups` must have every value at least 1, got 0"),
    ({"groups": (2, 2)}, TypeError, r"`groups` must be an int, got \(2, 2\) of type tuple"),
    ({"groups": None}, TypeError, "`groups` must be an int, got None"),
    ({"stride": 0}, ValueError, r"`stride` must have every value at least 1, got 0 on axis 0 of \(0, 0\)"),
    ({"stride": (1, -2)}, ValueError, "`stride` must have every value at least 1, got -2 on axis 1"),
    ({"stride": 1.0}, TypeError, "`stride` must be an int or a tuple of ints, got 1.0 of type float"),
    ({"stride": True}, TypeError, "`stride` must be an int or a tuple of ints, got True of type bool"),
    ({"stride": (1, True)}, TypeError, "`stride` must be an int or a tuple of ints, got True of type bool"),
    ({"stride": np.True_}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": Yes()}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": ENDLESS}, TypeError, r"`stride` must be an int or a tuple of ints, got \[\[...\]\] of type list"),
    ({"stride": np.ones(2)}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": "two"}, TypeError, "`stride` must be an int or a tuple of ints, got 'two' of type str"),
    ({"stride": None}, TypeError, "`stride` must be an int or a tuple of ints, got None"),
    ({"stride": (2,)}, ValueError, r"`stride` must be one int or one for each of the 2 spatial axes, got \(2,\)"),
    ({"stride": ((1, 2), 1)}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": b"ab"}, TypeError, "`stride` must be an int or a tuple of ints, got b'ab' of type bytes"),
    ({"stride": [[[[1]]]]}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": {1, 2}}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"dilation": (1, 0)}, ValueError, "`dilation` must have every value at least 1, got 0 on axis 1"),
    ({"dilation": 1.5}, TypeError, "`dilation` must be an int or a tuple of ints, got 1.5"),
    ({"padding": -1}, ValueError, r"`padding` must be at least 0, got -1 on axis 0; to append zeros give a pair"),
    ({"padding": (0, -1)}, ValueError, r"got -1 on axis 1; .* \(-1, -1\)"),
    ({"padding": 1.5}, TypeError, "`padding` must be an int or a tuple of ints, got 1.5"),
    ({"padding": "full"}, ValueError, "`padding` must be 'same' or 'valid' where it is a word, got 'full'"),
    ({"padding": "SAME"}, ValueError, "`padding` must be 'same' or 'valid' where it is a word, got 'SAME'"),
    ({"padding": None}, TypeError, r"`padding` must be an int, one int or \(lo, hi\) pair per axis, 'same' or 'valid'"),
    ({"padding": (1, 1, 1)}, ValueError, "`padding` must have one entry for each of the 2 axes"),
    ({"padding": ((1, 1),)}, ValueError, "`padding` must have one entry for each of the 2 axes"),
    (
        {"padding": ((1, 1), (1, 1, 1))},
        ValueError,
        r"must be an int or a \(lo, hi\) pair on each axis, got \(1, 1, 1\)",
    ),
    (
        {"padding": ((1, (2, 3)), 1)},
        TypeError,
        r"`padding` must be an int or a tuple of ints, got \(2, 3\) of type tuple",
    ),
    ({"padding": ((1, 1), "same")}, ValueError, r"\(lo, hi\) pair on each axis, got 'same' on axis 1"),
    ({"padding": ((1, None), 1)}, ValueError, r"\(lo, hi\) pair on each axis, got \(1, None\) on axis 0"),
    ({"padding": 4}, ValueError, "`padding` leaves a size of -3 on axis 0: the output has 5 samples there before"),
    ({"padding": ((0, 0), (5, 2))}, ValueError, "`padding` leaves a size of -1 on axis 1"),
    (
        {"output_padding": 1},
        ValueError,
        "`output_padding` must be less than the larger of stride 1 and dilation 1, got 1",
    ),
    ({"output_padding": (0, 3), "stride": 2, "dilation": 3}, ValueError, "got 3 on axis 1; .* give `output_size`"),
    ({"output_padding": -1}, ValueError, "`output_padding` must have every value at least 0, got -1"),
    (
        {"output_padding": 1, "stride": 2, "padding": "same"},
        ValueError,
        "must be 0 with padding='same', .* `output_size`",
    ),
    (
        {"output_padding": 1, "stride": 2, "output_size": 9},
        ValueError,
        "`output_padding` .* and `output_size` both state",
    ),
    ({"output_size": -1}, ValueError, "`output_size` must have every value at least 0, got -1"),
    ({"output_size": (2, 4, 7, 9)}, ValueError, "`output_size` must be one int or one for each of the 2 spatial axes"),
    ({"output_size": "large"}, TypeError, "`output_size` must be an int or a tuple of ints"),
    ({"data_format": "NHWC"}, ValueError, "`data_format` must be 'channels_first' or 'channels_last', got 'NHWC'"),
    ({"data_format": np.ones(2)}, ValueError, "`data_format` must be 'channels_first' or 'channels_last'"),
    ({"data_format": None}, ValueError, "`data_format` must be 'channels_first' or 'channels_last', got None"),
    ({"stride": 2**62}, ValueError, r"the output would have shape .*, more than \d+ elements an image"),
    ({"output_size": 2**40}, ValueError, "the output would have shape"),
]
ARRAYS = [
    ({"algorithm": "fast"}, ValueError, r"`algorithm` must be one of 'auto', .*'generic' on \w+, got 'fast'"),
    ({"algorithm": None}, ValueError, "`algorithm` must be one of"),
    ({"algorithm": np.ones(2)}, ValueError, "`algorithm` must be one of"),
]
NOT_ARRAYS = [None, [[1.0, 2.0]], 3, "x", object(), {}, np.ma.masked_array([1.0], [True])]


def call(plain, **changes):
    shapes = {"x": X, "weight": W, "bias": None} | changes
    arrays = {n: None if shapes[n] is None else plain.make(np.ones(shapes.pop(n))) for n in ("x", "weight")}
    bias = shapes.pop("bias")
    return upconv.conv_transpose(*arrays.values(), None if bias is None else plain.make(np.ones(bias)), **shapes)


@pytest.mark.parametrize("changes, error, text", SHAPES + GEOMETRY + ARRAYS)
def test_refusals(plain, changes, error, text):
    with refused(error, match=text):
        call(plain, **changes)


@pytest.mark.parametrize("changes, error, text", SHAPES + GEOMETRY)
def test_output_shape_refuses_the_same(changes, error, text):
    arguments = {"x": X, "weight": W, "bias": None} | changes
    x, weight, bias = (arguments.pop(name) for name in ("x", "weight", "bias"))
    with refused(error, match=text):
        upconv.output_shape(x, weight, bias, **arguments)


@pytest.mark.parametrize("changes, error, text", SHAPES + GEOMETRY)
def test_a_traced_call_refuses_the_same(library, changes, error, text):
    arguments = {"x": X, "weight": W, "bias": None} | changes
    shapes = [arguments.pop(name) for name in ("x", "weight", "bias")]
    if library.name == "jax":
        import jax

        trace = jax.eval_shape
        arrays = [None if s is None else jax.ShapeDtypeStruct(s, "float32") for s in shapes]
    elif library.name == "torch":
        import torch

        def trace(function, *arrays):
            return function(*arrays)

        arrays = [None if s is None else torch.empty(s, device="meta") for s in shapes]
    elif library.name == "tensorflow":
        import tensorflow as tf

        def trace(function, *arrays):
            return tf.function(function).get_concrete_function(*arrays)

        arrays = [None if s is None else tf.TensorSpec(s) for s in shapes]
    else:
        pytest.skip(f"{library.name} does not trace")
    with refused(error, match=text):
        trace(lambda *a: upconv.conv_transpose(*a, **arguments), *arrays)


@pytest.mark.parametrize(
    "shape, error, text",
    [
        (None, TypeError, "`x_shape` must be a tuple of ints, got None"),
        (3, TypeError, "`x_shape` must be a tuple of ints, got 3"),
        ((1, 4, 3.0, 5), TypeError, "`x_shape` must be .*, got 3.0"),
        ((1, 4, (3,), 5), TypeError, "`x_shape` must be a tuple of ints"),
        ((1, 4, -3, 5), ValueError, "`x_shape` must have every size at least 0, got -3 on axis 2"),
    ],
)
def test_refusals_of_shapes(shape, error, text):
    with refused(error, match=text):
        upconv.output_shape(shape, W)


@pytest.mark.parametrize("what", NOT_ARRAYS, ids=lambda what: type(what).__name__)
def test_what_is_not_an_array(plain, what):
    x, weight = plain.make(np.ones(X)), plain.make(np.ones(W))
    name = type(what).__name__
    name += "; fill it" if name == "MaskedArray" else "; make one first"
    with refused(TypeError, match=rf"`x` must be an array of one of numpy, torch, .*, got {name}"):
        upconv.conv_transpose2d(what, weight)
    with refused(TypeError, match=f"`weight` must be an array of one of .*, got {name}"):
        upconv.conv_transpose2d(x, what)
    if what is not None:
        with refused(TypeError, match=f"`bias` must be an array of one of .*, got {name}"):
            upconv.conv_transpose2d(x, weight, what)


def test_fixed_ranks_refuse_others(plain):
    x, weight = plain.make(np.ones(X)), plain.make(np.ones(W))
    with refused(ValueError, match="`weight` must have 3 axes, .* with 1 kernel axes; got 4"):
        upconv.conv_transpose1d(x, weight)
    with refused(ValueError, match="`weight` must have 5 axes"):
        upconv.conv_transpose3d(x, weight)


def test_mixed_libraries(plain, library):
    if library.name == "numpy":
        other = pytest.importorskip("array_api_strict").asarray
        pytest.importorskip("array_api_strict._array_object")
        name = "strict"
    else:
        other, name = np.asarray, "numpy"
    x, weight = plain.make(np.ones(X)), other(np.ones(W))
    with refused(TypeError, match=f"`x` is an array of {library.name} and `weight` one of {name}; convert one"):
        upconv.conv_transpose2d(x, weight)
    with refused(TypeError, match=f"`x` is an array of {library.name} and `bias` one of {name}"):
        upconv.conv_transpose2d(x, plain.make(np.ones(W)), other(np.ones(2)))


def test_mixed_and_unknown_dtypes(plain):
    x, weight = plain.make(np.ones(X, "float32")), plain.make(np.ones(W, "float64"))
    with refused(TypeError, match="`x` has dtype float32 and `weight` has float64; convert one"):
        upconv.conv_transpose2d(x, weight)
    yes = plain.make(np.ones(X, bool))
    with refused(TypeError, match=r"`x` has dtype bool; \w+ arrays must have one of float32, .*; convert it"):
        upconv.conv_transpose2d(yes, plain.make(np.ones(W, bool)))


def test_sparse_tensors(library):
    if library.name != "torch":
        pytest.skip(f"{library.name} has no sparse arrays of the same class")
    import torch

    x, weight = torch.ones(X), torch.ones(W)
    with refused(TypeError, match=r"`x` must be dense, got layout torch.sparse_coo; call .to_dense\(\)"):
        upconv.conv_transpose2d(x.to_sparse(), weight)
    with refused(TypeError, match="`weight` must be dense"):
        upconv.conv_transpose2d(x, weight.to_sparse())


def test_mixed_devices(library):
    text = r"`x` is on device .* and `weight` on .*; move one of them"
    if library.name == "torch":
        import torch

        pair = torch.ones(X), torch.ones(W, device="meta")
    elif library.name == "jax":
        import jax

        first, second = jax.devices()[:2]
        pair = jax.device_put(np.ones(X), first), jax.device_put(np.ones(W), second)
        # An array that is not committed to a device goes with the others, as everywhere in JAX.
        assert upconv.conv_transpose2d(jax.numpy.ones(X, "float64"), pair[1]).device == second
    elif library.name == "tensorflow":
        import tensorflow as tf

        with tf.device("CPU:1"):
            pair = tf.ones(X), tf.Variable(tf.ones(W))
        with tf.device("CPU:0"):
            pair = pair[0], tf.Variable(pair[1])
    elif library.name == "strict":
        import array_api_strict as xp

        pair = xp.ones(X, device=xp.Device("device1")), xp.ones(W)
    elif library.name == "mxnet":
        import mxnet as mx

        pair = mx.np.ones(X), mx.np.ones(W, ctx=mx.cpu(1))
    else:
        pytest.skip(f"{library.name} has one device")
    with refused(ValueError, match=text):
        upconv.conv_transpose2d(*pair)


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


def test_arrays_of_before_the_numpy_interface(plain, library):
    if library.name != "mxnet":
        pytest.skip(f"{library.name} has one kind of array")
    import mxnet as mx

    with refused(TypeError, match=r"`x` must be an array of .*, got NDArray; pass its \.as_np_ndarray\(\)"):
        upconv.conv_transpose2d(mx.nd.ones(X), plain.make(np.ones(W)))


def test_sizes_that_are_not_known_yet(library):
    if library.name == "dask":
        import dask.array as da

        x = da.ones(X, chunks=2)
        with refused(ValueError, match=r"`x` has a size that is not known: .* compute_chunk_sizes\(\)"):
            upconv.conv_transpose2d(x[:, :, x[0, 0, :, 0] > 0], da.ones(W))
    elif library.name == "tensorflow":
        import tensorflow as tf

        graph = tf.function(upconv.conv_transpose2d, autograph=False)
        with refused(ValueError, match=r"`x` has a size that is not known: \(4, None, 5\); .* its input_signature"):
            graph.get_concrete_function(tf.TensorSpec((2, 4, None, 5)), tf.TensorSpec(W))
    else:
        pytest.skip(f"{library.name} knows its shapes")


def test_ints_of_other_kinds_are_ints(plain):
    x, weight = plain.make(np.ones(X)), plain.make(np.ones(W))
    strides = [2, np.int64(2), [2, 2], (np.int8(2), 2), np.asarray(2)]
    shapes = {tuple(upconv.conv_transpose2d(x, weight, stride=stride).shape) for stride in strides}
    assert shapes == {(2, 2, 7, 10)}


def test_every_raise_is_reached(library, plain):
    """The tests above reach each `raise` and each call of a `_refuse` helper in the package."""
    import test_conv_arguments as others

    REACHED.clear()
    for row in others.CONV:
        others.test_conv(plain, *row)
    for row in others.CONV_WEIGHT:
        others.test_conv_weight(plain, *row)
    others.test_cotangents(plain)
    for row in SHAPES + GEOMETRY + ARRAYS:
        test_refusals(plain, *row)
    for what in NOT_ARRAYS:
        test_what_is_not_an_array(plain, what)
    test_refusals_of_shapes(3, TypeError, "`x_shape`")
    test_fixed_ranks_refuse_others(plain)
    test_mixed_and_unknown_dtypes(plain)
    alone = library.name if find_spec("array_api_strict") is None else ""  # nothing to mix NumPy's arrays with
    with suppress(pytest.skip.Exception):
        test_mixed_libraries(plain, library)
    test_a_weight_prepared_for_another_library(plain)
    for test in (
        test_sparse_tensors,
        test_mixed_devices,
        test_an_algorithm_that_does_not_take_the_call,
        test_sizes_that_are_not_known_yet,
    ):
        with suppress(pytest.skip.Exception):
            test(library)
    missed = []
    for module in (_arguments, _padding, _geometry, _operands, _dispatch):
        source = Path(module.__file__).read_text()
        for node in ast.walk(ast.parse(source)):
            refuses = isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith(("_refuse", "refuse"))
            text = ast.get_source_segment(source, node) if refuses or isinstance(node, ast.Raise) else None
            if text and not any((module.__file__, line) in REACHED for line in range(node.lineno, node.end_lineno + 1)):
                missed.append(text)
    only_here = {
        "theirs.name": "" if alone == "numpy" else library.name,
        "sparse": "torch",
        "dense": "torch",
        "not known": "dask tensorflow",
        "on device": "torch jax strict tensorflow mxnet",
        "{last}{fix}": "torch jax tensorflow mxnet",
    }
    missed = [
        text
        for text in missed
        if not any(words in text and library.name not in libraries for words, libraries in only_here.items())
    ]
    assert not missed


def test_only_these_modules_raise():
    """Those whose refusals stand above; `diagram` and linear algebra, with tests of their own; an unknown name."""
    package = Path(upconv.__file__).parent
    raising = {
        path.name
        for path in package.rglob("*.py")
        if not {"_cli", "_bench"} & {*path.relative_to(package).parts}
        and path.name != "__main__.py"
        and any(isinstance(n, ast.Raise) for n in ast.walk(ast.parse(path.read_text())))
    }
    assert raising == {
        "_arguments.py",
        "_padding.py",
        "_geometry.py",
        "_operands.py",
        "_diagram.py",
        "_linear.py",
        "__init__.py",
    }


def test_prepare_gives_the_weight_itself_where_there_is_nothing_to_lay_out(plain, library):
    if library.name == "cupy":
        pytest.skip("cupy's raw kernel reads another layout: tests/test_cupy_launch.py")
    weight = plain.make(np.ones((2, 3, 4)))
    assert upconv.prepare(weight) is weight


def test_prepare_refuses_what_is_no_array():
    with pytest.raises(TypeError, match=r"`weight` must be an array of one of numpy, .* got list"):
        upconv.prepare([[[1.0]]])


def test_a_weight_prepared_for_another_library(plain):
    class Prepared:
        prepared_for = "another"

    with refused(TypeError, "`weight` was prepared for another, and `x` is an array of"):
        upconv.conv_transpose(plain.make(np.ones((1, 1, 3))), Prepared())
