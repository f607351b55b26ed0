"""Operands that are no plain arrays: subclasses that lie, objects that pretend, variables, and advice for the rest."""

from unittest import mock

import numpy as np
import pytest

import upconv
from refusals import refused
from upconv import _libraries

WORDS = {"stride": (2, 3), "padding": ((1, 0), (2, 1))}


def drawn(*shapes):
    rng = np.random.default_rng(5)
    return [rng.standard_normal(shape) for shape in shapes]


class Lying(np.ndarray):
    """Memory of its own, and attributes of another's."""

    shape = property(lambda self: (1, 2, 3000, 70000))
    dtype = property(lambda self: np.dtype("complex128"))
    strides = property(lambda self: (8, 8, 8, 8))
    ndim = property(lambda self: 7)
    size = property(lambda self: 0)

    def __len__(self):
        return 2**40

    def view(self, *_):
        raise AssertionError


@pytest.mark.value
@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("algorithm", ["auto", "direct", "loops", "overlap_add", "generic"])
def test_what_a_subclass_says_of_its_shape_is_not_read(algorithm):
    if algorithm in ("direct", "loops"):
        pytest.importorskip("numba", reason="Numba is not installed")
    x, weight, bias = drawn((2, 4, 5, 7), (4, 3, 4, 5), (3,))
    y = upconv.conv_transpose(x, weight, bias, **WORDS)
    calls = (
        (lambda *a: upconv.conv_transpose(*a, **WORDS, algorithm=algorithm), (x, weight, bias)),
        (lambda *a: upconv.conv(*a, **WORDS, algorithm=algorithm), (y, weight, np.ones(4))),
        (lambda *a: upconv.conv_weight(*a, (4, 5), **WORDS, algorithm=algorithm), (x, y)),
        (lambda *a: upconv.vjp(*a[:3], **WORDS)[1](a[3])[1], (x, weight, bias, y)),
        (lambda *a: upconv.as_matrix(*a, (4, 5, 7), dense=True, **WORDS), (weight,)),
        (lambda *a: np.asarray(upconv.explain(*a, **WORDS).output_shape), (x, weight, bias)),
    )
    for call, arrays in calls:
        expected = call(*arrays)
        for n in range(len(arrays)):
            given = [np.ndarray.view(a, Lying) if i == n else a for i, a in enumerate(arrays)]
            found = call(*given)
            assert type(found) is np.ndarray
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("once")
def test_what_only_says_that_it_is_an_array_is_none():
    x, weight = drawn((1, 2, 3), (2, 3, 4))
    for pretender in (
        mock.Mock(spec=np.ndarray, shape=(1, 2, 3), dtype=x.dtype),
        mock.NonCallableMagicMock(np.ndarray),
    ):
        with refused(TypeError, match=r"`x` must be an array of one of numpy, .*, got"):
            upconv.conv_transpose(pretender, weight)
        with refused(TypeError, match=r"`weight` must be an array of one of numpy, .*, got"):
            upconv.conv_transpose(x, pretender)


def test_what_says_it_is_prepared(plain, library):
    class Pretender:
        prepared_for = library.name

        def __init__(self, weight):
            self.shape, self.dtype, self.device = weight.shape, weight.dtype, getattr(weight, "device", None)

    x, weight = map(plain.make, drawn((1, 2, 3), (2, 3, 4)))
    with refused(TypeError, match=r"`weight` must be an array of one of numpy, .*, got Pretender"):
        upconv.conv_transpose(x, Pretender(weight))


@pytest.mark.value
@pytest.mark.usefixtures("once")
def test_an_attribute_called_mask_is_anyones():
    class Marked(np.ndarray):
        mask = None

    x, weight = drawn((1, 2, 3), (2, 3, 4))
    expected = upconv.conv_transpose(x, weight)
    for first in ("mask", "no mask"):
        _libraries._OWNERS.clear()
        marked = x.view(Marked)
        if first == "mask":
            marked.mask = np.zeros(x.shape, bool)
        np.testing.assert_array_equal(upconv.conv_transpose(marked, weight), expected)
        marked.mask = np.zeros(x.shape, bool)
        np.testing.assert_array_equal(upconv.conv_transpose(marked, weight), expected)
        with refused(TypeError, match=r"`x` must be .* got MaskedArray; fill it by .filled\(...\)"):
            upconv.conv_transpose(np.ma.masked_array(x, x > 0), weight)


@pytest.mark.value
def test_a_parameter_with_a_mask(torch):
    x, weight = (torch.from_numpy(a).float() for a in drawn((2, 6, 5, 7), (6, 3, 4, 5)))
    expected = upconv.conv_transpose(x, weight, **WORDS)
    _libraries._OWNERS.clear()
    pruned = torch.nn.Parameter(weight)
    pruned.mask = torch.ones_like(weight)  # as pruning leaves it
    torch.testing.assert_close(upconv.conv_transpose(x, pruned, **WORDS), expected)
    compiled = torch.compile(lambda x, w: upconv.conv_transpose(x, w, **WORDS), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, pruned), expected)


def foreign(library):
    """Objects that people have in their hands, where this environment can make them, and what they are told."""
    yield [[[1.0]]], "make one first, as by numpy.asarray"
    yield type("Thing", (), {})(), "pass the array that it holds, as by `.value`"
    for module, name, told in (
        ("pandas.core.frame", "DataFrame", r"pass its .to_numpy\(\)"),
        ("xarray.core.dataarray", "DataArray", "pass its .data, or call through xarray.apply_ufunc"),
        ("keras.src.backend.common.keras_tensor", "KerasTensor", "in the `call` of your own keras.layers.Layer"),
        ("torch.fx.proxy", "Proxy", r"to torch.fx.wrap\(...\)"),
        ("mxnet.symbol.symbol", "Symbol", "not hybridized"),
        ("scipy.sparse._base", "sparray", r"pass its .toarray\(\)"),
        ("tensorflow.python.ops.ragged.ragged_tensor", "RaggedTensor", r"pass its .to_tensor\(\)"),
        ("jax.experimental.sparse._base", "JAXSparse", r"pass its .todense\(\)"),
    ):
        kind = type(name, (), {"__module__": module})
        yield type("Derived", (kind,), {})(), told


def test_each_is_told_what_to_pass(plain, library):
    x = plain.make(np.ones((1, 2, 3)))
    for thing, told in foreign(library):
        with refused(TypeError, match=rf"`weight` must be an array of one of .*, got {type(thing).__name__}; .*{told}"):
            upconv.conv_transpose(x, thing)


@pytest.mark.value
def test_a_variable_of_flax(library):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    nnx = pytest.importorskip("flax.nnx", reason="Flax is not installed")
    import jax

    x, weight, bias = map(jax.numpy.asarray, drawn((2, 4, 5, 7), (4, 3, 4, 5), (3,)))

    def loss(x, weight, bias):
        return (upconv.conv_transpose(x, weight, bias, **WORDS) ** 2).sum()

    expected = jax.grad(loss, (0, 1, 2))(x, weight, bias)
    variables = nnx.Param(x), nnx.Param(weight), nnx.BatchStat(bias)
    found = nnx.grad(loss, argnums=(0, 1))(variables[0], variables[1], bias)
    for ours, theirs in zip(found, expected, strict=False):
        np.testing.assert_allclose(ours[...], theirs, rtol=1e-6)
    jitted = nnx.jit(loss)(*variables)
    np.testing.assert_allclose(jitted, loss(x, weight, bias), rtol=1e-6)
    y, pullback = upconv.vjp(*variables, **WORDS)
    np.testing.assert_allclose(pullback(nnx.Param(2 * y))[1], expected[1], rtol=1e-6)


@pytest.mark.value
def test_a_parameter_of_gluon(library):
    if library.name != "mxnet":
        pytest.skip(f"{library.name} is not MXNet")
    import mxnet as mx

    x, weight = drawn((2, 4, 5, 7), (4, 3, 4, 5))
    parameter = mx.gluon.Parameter("weight", shape=weight.shape)
    parameter.initialize(mx.init.Zero())
    parameter.set_data(mx.nd.array(weight))
    image = mx.np.array(x, dtype="float32")
    with mx.autograd.record():
        y = upconv.conv_transpose(image, parameter, **WORDS)
    y.backward()
    _, dweight, _ = upconv.vjp(x, weight, **WORDS)[1](np.ones(y.shape))
    np.testing.assert_allclose(parameter.grad().asnumpy(), dweight, rtol=1e-4, atol=1e-4)


@pytest.mark.value
def test_a_variable_of_keras(library):
    """On its TensorFlow backend; test_examples.py has the others, where those are installed."""
    if library.name != "tensorflow":
        pytest.skip(f"{library.name} is not TensorFlow")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    import tensorflow as tf

    x, weight, bias = (a.astype("float32") for a in drawn((2, 4, 5, 7), (4, 3, 4, 5), (3,)))
    variables = [keras.Variable(a) for a in (weight, bias)]
    with tf.GradientTape() as tape:
        y = upconv.conv_transpose(tf.constant(x), *variables, **WORDS)
    found = tape.gradient(y, [v.value for v in variables])
    _, *expected = upconv.vjp(x, weight, bias, **WORDS)[1](np.ones(y.shape, "float32"))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def lying(library, array):
    """The array as one of a subclass that tells another shape."""
    told = {"shape": property(lambda self: (4, 3, 9000)), "ndim": property(lambda self: 7)}
    if library.name == "torch":
        import torch

        return array.as_subclass(type("Lying", (torch.Tensor,), told))
    array = array.copy()
    array.__class__ = type("Lying", (type(array),), told)
    return array


@pytest.mark.value
def test_what_a_subclass_of_another_library_says_is_not_read(plain, library, algorithm):
    if library.name not in ("torch", "mxnet"):
        pytest.skip(f"{library.name}'s arrays have no subclasses of ours, or are in the test of NumPy's")
    from libraries import variants

    back = variants(library.name)[0].back
    arrays = [plain.make(a.astype("float32")) for a in drawn((2, 4, 5, 7), (4, 3, 4, 5), (3,))]
    expected = back(upconv.conv_transpose(*arrays, **WORDS))
    for n in range(3):
        given = [lying(library, a) if i == n else a for i, a in enumerate(arrays)]
        y = upconv.conv_transpose(*given, **WORDS, algorithm=algorithm)
        np.testing.assert_allclose(back(y), expected, rtol=1e-4, atol=1e-4)
        assert upconv.explain(*given, **WORDS).output_shape == expected.shape
    y = plain.make(expected)
    kernel = back(upconv.conv_weight(arrays[0], y, (4, 5), **WORDS))
    np.testing.assert_allclose(
        back(upconv.conv_weight(arrays[0], lying(library, y), (4, 5), **WORDS)), kernel, rtol=1e-4, atol=1e-3
    )


@pytest.mark.value
def test_gradients_reach_a_subclass_that_lies(torch):
    x, weight = (torch.from_numpy(a) for a in drawn((2, 4, 5, 7), (4, 3, 4, 5)))
    told = {"shape": property(lambda self: (4, 3, 9000))}
    leaf = weight.clone().requires_grad_()
    upconv.conv_transpose(x, leaf.as_subclass(type("Lying", (torch.Tensor,), told)), **WORDS).square().sum().backward()
    honest = weight.clone().requires_grad_()
    upconv.conv_transpose(x, honest, **WORDS).square().sum().backward()
    torch.testing.assert_close(leaf.grad, honest.grad)


def test_a_proxy_of_any_library_is_no_array(plain, library):
    x, weight = map(plain.make, drawn((1, 2, 3), (2, 3, 4)))

    class Proxy:
        def __getattr__(self, name):
            return getattr(x, name)

        __class__ = property(lambda self: type(x))

    with refused(TypeError, match="`x` must be an array of one of .*, got Proxy"):
        upconv.conv_transpose(Proxy(), weight)
    with refused(TypeError, match="`weight` must be an array of one of .*, got Proxy"):
        upconv.conv_transpose(x, Proxy())


@pytest.mark.value
def test_a_module_that_only_has_the_name_of_a_library(plain, monkeypatch):
    """A user's folder called `jax`, or a library in the middle of its import."""
    from sys import modules
    from types import ModuleType

    for name in ("jax", "mxnet.numpy", "cupy", "dask.array"):
        if name not in modules:
            monkeypatch.setitem(modules, name, ModuleType(name))
    monkeypatch.setattr(_libraries, "_OWNERS", {})
    x, weight = map(plain.make, drawn((1, 2, 3), (2, 3, 4)))
    assert tuple(upconv.conv_transpose(x, weight).shape) == (1, 3, 6)
    with refused(TypeError, match="`weight` must be an array of one of .*, got list"):
        upconv.conv_transpose(x, [[[1.0]]])


@pytest.mark.value
@pytest.mark.parametrize("traced", [False, True])
def test_a_reference_of_jax(library, traced):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    import jax

    if not hasattr(jax, "new_ref"):
        pytest.skip("this JAX has no references")
    x, weight = map(jax.numpy.asarray, drawn((2, 4, 5, 7), (4, 3, 4, 5)))
    call = lambda x, weight: upconv.conv_transpose(x, weight, **WORDS)  # noqa: E731
    found = (jax.jit(call) if traced else call)(x, jax.new_ref(weight))
    np.testing.assert_allclose(found, call(x, weight), rtol=1e-6, atol=1e-6)


@pytest.mark.value
def test_a_boxed_parameter_of_flax(library):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    linen = pytest.importorskip("flax.linen", reason="Flax is not installed")
    import jax

    x, weight = map(jax.numpy.asarray, drawn((2, 4, 5, 7), (4, 3, 4, 5)))

    def loss(weight):
        return (upconv.conv_transpose(x, weight, **WORDS) ** 2).sum()

    found = jax.grad(loss)(linen.Partitioned(weight, names=(None, None, None, None)))
    np.testing.assert_allclose(found.unbox(), jax.grad(loss)(weight), rtol=1e-6)


@pytest.mark.value
def test_a_parameter_of_gluon_on_two_devices(library):
    if library.name != "mxnet":
        pytest.skip(f"{library.name} is not MXNet")
    import mxnet as mx

    x, weight = (a.astype("float32") for a in drawn((2, 4, 5, 7), (4, 3, 4, 5)))
    parameter = mx.gluon.Parameter("weight", shape=weight.shape)
    parameter.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    parameter.set_data(mx.nd.array(weight))
    expected = upconv.conv_transpose(x, weight, **WORDS)
    for device in (mx.cpu(0), mx.cpu(1)):
        y = upconv.conv_transpose(mx.np.array(x, ctx=device), parameter, **WORDS)
        assert y.ctx == device
        np.testing.assert_allclose(y.asnumpy(), expected, rtol=1e-4, atol=1e-4)
