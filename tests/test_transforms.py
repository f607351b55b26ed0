"""The call inside other people's transforms: differentiated, mapped, compiled, exported."""

import inspect
from pathlib import Path

import numpy as np
import pytest

import oracle
import upconv
from cases import CASES
from libraries import variants

CASE = next(case for case in CASES if case.name == "pairs")
GROUPED = next(case for case in CASES if case.name == "groups")


@pytest.fixture
def jax(library):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    return pytest.importorskip("jax")


@pytest.fixture
def tf(library):
    if library.name != "tensorflow":
        pytest.skip(f"{library.name} is not TensorFlow")
    return pytest.importorskip("tensorflow")


@pytest.fixture
def mxnet(library):
    if library.name != "mxnet":
        pytest.skip(f"{library.name} is not MXNet")
    return pytest.importorskip("mxnet")


def call(case, algorithm):
    return lambda *arrays: upconv.conv_transpose(*arrays, **case.arguments, algorithm=algorithm)


@pytest.mark.parametrize("name", ["pairs-negative", "groups"])
def test_jax_gradients_agree_with_differences(jax, name, algorithm):
    if name == "groups" and algorithm in ("native", "generic"):
        pytest.skip(
            "XLA's op has no groups, and compiling the generic algorithm's for these takes a minute: test_jax.py"
        )
    from jax.test_util import check_grads

    case = next(case for case in CASES if case.name == name)
    jitted = jax.jit(call(case, algorithm))  # `check_grads` moves its points as NumPy's: jit makes them JAX's again
    check_grads(jitted, tuple(map(jax.numpy.asarray, case.arrays())), order=2, modes=["fwd", "rev"])


def test_jax_jit_vmap_and_shapes(jax, algorithm):
    arrays = tuple(map(jax.numpy.asarray, CASE.arrays()))
    y = call(CASE, algorithm)(*arrays)
    np.testing.assert_allclose(jax.jit(call(CASE, algorithm))(*arrays), y, atol=1e-13)
    assert jax.eval_shape(call(CASE, algorithm), *arrays).shape == y.shape
    x, weight, bias = arrays
    mapped = jax.vmap(call(CASE, algorithm), in_axes=(None, 0, None))(x, weight[None].repeat(3, 0), bias)
    np.testing.assert_allclose(mapped[2], y, atol=1e-13)


def test_jax_jit_leaves_nothing_of_the_call(jax):
    arrays = tuple(map(jax.numpy.asarray, CASE.arrays()))
    text = str(jax.make_jaxpr(call(CASE, "auto"))(*arrays))
    assert "pjit" not in text
    assert "jit" not in text.replace("jaxpr", "")


@pytest.mark.parametrize("variables", [True, False])
@pytest.mark.parametrize("case", [CASE, GROUPED], ids=str)
def test_tensorflow_gradients_agree_with_differences(tf, case, algorithm, variables):
    if algorithm == "native" and case is GROUPED:
        pytest.skip("TensorFlow's op has no groups")
    rng = np.random.default_rng(5)
    arrays = case.arrays()
    tangents = [rng.standard_normal(a.shape) for a in arrays]
    target = tf.constant(rng.standard_normal(np.shape(call(case, algorithm)(*map(tf.constant, arrays)))))

    def derivatives(t):
        """Of <target, y**2> along the tangents at arrays + t * tangents: the value, the first and the second."""
        point = [a + t * v for a, v in zip(arrays, tangents, strict=True)]
        point = [tf.Variable(a) if variables else tf.constant(a) for a in point]
        with tf.GradientTape() as outer:
            outer.watch(point)
            with tf.GradientTape() as inner:
                inner.watch(point)
                value = tf.reduce_sum(target * call(case, algorithm)(*point) ** 2)
            gradients = inner.gradient(value, point)
            slope = sum(tf.reduce_sum(g * v) for g, v in zip(gradients, tangents, strict=True))
        curvature = sum(tf.reduce_sum(g * v) for g, v in zip(outer.gradient(slope, point), tangents, strict=True))
        return np.asarray([value, slope, curvature])

    h = 1e-4
    at, before, after = derivatives(0), derivatives(-h), derivatives(h)
    # Central differences: off by h**2 times the third derivative, and by rounding over h.
    np.testing.assert_allclose((after - before)[:2] / (2 * h), at[1:], rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("case", [CASE, GROUPED], ids=str)
def test_tensorflow_function_of_an_unknown_batch(tf, case, algorithm, compiled):
    if algorithm == "native" and case is GROUPED:
        pytest.skip("TensorFlow's op has no groups")
    x, weight, bias = map(tf.constant, case.arrays())
    signature = [tf.TensorSpec((None, *x.shape[1:]), x.dtype)]
    weight, bias = tf.Variable(weight), tf.Variable(bias)
    # AutoGraph is left on, as people leave it.
    function = tf.function(lambda x: call(case, algorithm)(x, weight, bias), signature, jit_compile=compiled)
    y = call(case, algorithm)(x, weight, bias)
    assert function.get_concrete_function().output_shapes == (None, *y.shape[1:])
    for batch in (x, tf.concat([x, x, x], 0), x[:0]):
        np.testing.assert_allclose(function(batch), call(case, algorithm)(batch, weight, bias), rtol=1e-12, atol=1e-13)


def test_tensorflow_compiles_gradients(tf, algorithm):
    arrays = tuple(map(tf.constant, CASE.arrays()))

    def gradients(*arrays):
        with tf.GradientTape() as tape:
            tape.watch(arrays)
            value = tf.reduce_sum(call(CASE, algorithm)(*arrays) ** 2)
        return tape.gradient(value, arrays)

    for ours, eager in zip(tf.function(gradients, jit_compile=True)(*arrays), gradients(*arrays), strict=True):
        np.testing.assert_allclose(ours, eager, rtol=1e-12)


def test_tensorflow_explains_a_graph(tf):
    found = []
    signature = [tf.TensorSpec((None, 3, 4, 5)), tf.TensorSpec((3, 2, 3, 4))]
    tf.function(lambda *arrays: found.append(upconv.explain(*arrays)), signature).get_concrete_function()
    assert found[0].output_shape == (None, 2, 6, 8)
    assert found[0].workspace > 0


def test_autograph_leaves_the_package_as_it_is(tf):
    files = set()

    class Two:
        """An int that looks at who asks: what AutoGraph rewrites runs from a file of its own."""

        def __index__(self):
            files.update(Path(frame.filename).name for frame in inspect.stack())
            return 2

    assert tf.function(lambda x: upconv.conv_transpose2d(x, x, stride=Two()))(tf.ones((1, 1, 2, 2))).shape == (
        1,
        1,
        4,
        4,
    )
    assert {"_arguments.py", "_dispatch.py"} < files


@pytest.mark.parametrize("variant_name", ["mxnet:plain", "mxnet:view"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["pairs", "groups", "pairs-negative", "same-stride-above-kernel", "3d"])
def test_mxnet_gradients_agree_with_differences(mxnet, algorithm, name, dtype, variant_name):
    make = next(v.make for v in variants("mxnet") if v.name == variant_name)
    case = next(case for case in CASES if case.name == name)
    draws = case.arrays()
    arrays = [make(a.astype(dtype)) for a in draws]
    for a in arrays:
        a.attach_grad()
    try:
        with mxnet.autograd.record():
            y = call(case, algorithm)(*arrays)
    except ValueError:
        pytest.skip("the gradient of MXNet's own op may fail on three spatial axes")
    cotangent = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(mxnet.np.array(cotangent, dtype=dtype))
    for n, a in enumerate(arrays):
        expected = np.zeros(a.shape)
        for place in np.ndindex(*a.shape):
            step = np.zeros(a.shape)
            step[place] = 0.5
            ends = (
                oracle.conv_transpose(*draws[:n], draws[n] + half, *draws[n + 1 :], *case.geometry)
                for half in (step, -step)
            )
            expected[place] = np.sum(cotangent * (next(ends) - next(ends)))  # exact: the result is linear in each
        np.testing.assert_allclose(a.grad.asnumpy(), expected, atol=1e-11 if dtype == "float64" else 2e-5)
