"""Every refusal about the arrays of a call, by its text: what is no array, and library, dtype and device."""

import warnings

import numpy as np
import pytest

import upconv
from refusal_rows import W, X
from refusals import refused
from tracing import tracer

NOT_ARRAYS = [None, [[1.0, 2.0]], 3, "x", object(), {}, np.ma.masked_array([1.0], [True])]


class Metres(np.ndarray):
    """An array that answers for itself where NumPy's functions are called, as those with units do."""

    def __array_function__(self, func, types, args, kwargs):
        raise NotImplementedError


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


def test_arrays_that_mean_more_than_their_numbers(plain, library):
    x, weight = plain.make(np.ones(X)), plain.make(np.ones(W))
    text = r"must be an array of one of .*, got Metres; pass numpy.asarray\(...\) of it, which is the values alone"
    with refused(TypeError, match=f"`x` {text}"):
        upconv.conv_transpose2d(np.ones(X).view(Metres), weight)
    with refused(TypeError, match=f"`weight` {text}"):
        upconv.conv_transpose2d(x, np.ones(W).view(Metres))
    with refused(TypeError, match=f"`y` {text}"):
        upconv.conv_weight(x, np.ones(X).view(Metres), (1, 1))
    if library.name == "dask":
        import dask.array as da

        masked = da.ma.masked_array(da.ones(X), da.zeros(X) > 0)
        with refused(TypeError, match=r"`x` is made of masked arrays; fill it by dask.array.ma.filled\(...\)"):
            upconv.conv_transpose2d(masked, weight)
        with refused(TypeError, match="`y` is made of masked arrays"):
            upconv.conv_weight(x, masked, (1, 1))
        upconv.conv_transpose2d(da.ma.filled(masked, 0), weight)


def test_traced_arrays_are_refused_alike(library):
    announce, trace = tracer(library)
    x, weight = announce(X, "float32"), announce(W, "float32")

    def with_first(verb, x):
        return lambda weight: verb(x, weight)

    def with_second(verb, weight):
        return lambda x: verb(x, weight)

    def refuses(error, text, function, *arrays):
        with refused(error, match=text):
            trace(function, *arrays)

    for verb in (upconv.conv_transpose, upconv.conv):
        wide = announce(W, "float64")
        refuses(TypeError, "`x` has dtype float32 and `weight` has float64; convert one", verb, x, wide)
        refuses(TypeError, r"`x` has dtype bool; \w+ arrays must", verb, announce(X, "bool"), announce(W, "bool"))
        own = np.ones(W, "float32")
        text = f"`x` is an array of {library.name} and `weight` one of numpy; convert one"
        refuses(TypeError, text, with_second(verb, own), x)
        refuses(TypeError, "`weight` must be an array of one of", with_second(verb, [1.0]), x)
        refuses(TypeError, "`x` must be an array of one of", with_first(verb, [1.0]), weight)
    text = "`x` has dtype float32 and `y` has float64; convert one"
    refuses(TypeError, text, lambda x, y: upconv.conv_weight(x, y, (1, 1)), x, announce(X, "float64"))
    text = "`cotangent` must have the shape of the result"
    refuses(ValueError, text, lambda x, weight: upconv.vjp(x, weight)[1](x), x, weight)


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


def test_prepare_gives_the_weight_itself_where_there_is_nothing_to_lay_out(plain, library):
    if library.name == "cupy":
        pytest.skip("cupy's raw kernel reads another layout: tests/test_cupy_launch.py")
    weight = plain.make(np.ones((2, 3, 4)))
    assert upconv.prepare(weight) is weight


def test_prepare_refuses_what_is_no_array():
    with pytest.raises(TypeError, match=r"`weight` must be an array of one of numpy, .* got list"):
        upconv.prepare([[[1.0]]])


def test_a_weight_prepared_for_cupy(library):
    if library.name != "cupy":
        pytest.skip("only CuPy's weights are prepared")
    from upconv._lower._cupy._weights import PreparedWeight

    prepared = PreparedWeight.__new__(PreparedWeight)
    with refused(
        TypeError, match="`weight` was prepared for cupy, and `x` is an array of numpy; pass the array itself"
    ):
        upconv.conv_transpose(np.ones((1, 1, 3)), prepared)


def test_a_masked_and_a_nested_tensor(torch):
    x, weight = torch.ones(2, 6, 5), torch.ones(6, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that both are prototypes
        masked = torch.masked.masked_tensor(x, x > 0)
        nested = torch.nested.nested_tensor([x[0], x[0, :, :3]])
        with refused(TypeError, match=r"`x` must be .* got MaskedTensor; fill it"):
            upconv.conv_transpose(masked, weight)
        with refused(TypeError, match=r"`x` must be dense, got a nested tensor; pad it by"):
            upconv.conv_transpose(nested, weight)


def test_a_bias_of_a_third_dtype(plain, library):
    """Beside a complex array and a real one of its precision."""
    if library.name == "mxnet":
        pytest.skip("mxnet has no complex arrays")
    x, weight, bias = (plain.make(np.ones(s, d)) for s, d in ((X, "complex64"), (W, "float32"), (W[1:2], "float64")))
    with refused(TypeError, match="`x` has dtype complex64, `weight` float32 and `bias` float64; convert `bias` to"):
        upconv.conv_transpose2d(x, weight, bias)
