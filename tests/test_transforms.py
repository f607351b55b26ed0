"""The call inside other people's transforms: differentiated, mapped, compiled, exported."""

import numpy as np
import pytest

import oracle
import upconv
from cases import CASES
from libraries import variants

CASE = next(case for case in CASES if case.name == "pairs")
GROUPED = next(case for case in CASES if case.name == "groups")


@pytest.fixture
def torch(library):
    if library.name != "torch":
        pytest.skip(f"{library.name} is not PyTorch")
    return pytest.importorskip("torch")


@pytest.fixture
def jax(library):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    return pytest.importorskip("jax")


@pytest.fixture
def mxnet(library):
    if library.name != "mxnet":
        pytest.skip(f"{library.name} is not MXNet")
    return pytest.importorskip("mxnet")


def call(case, algorithm):
    return lambda *arrays: upconv.conv_transpose(*arrays, **case.arguments, algorithm=algorithm)


@pytest.mark.parametrize("case", [CASE, GROUPED], ids=str)
def test_torch_gradients_of_both_orders(torch, case, algorithm):
    arrays = [torch.from_numpy(a).requires_grad_() for a in case.arrays()]
    assert torch.autograd.gradcheck(call(case, algorithm), arrays)
    assert torch.autograd.gradgradcheck(call(case, algorithm), arrays)


@pytest.mark.parametrize("dynamic", [True, False])
def test_torch_compile_in_one_graph_without_a_warning(torch, algorithm, dynamic):
    torch._dynamo.reset()
    x, weight, bias = (torch.from_numpy(a) for a in CASE.arrays("float32"))
    compiled = torch.compile(call(CASE, algorithm), fullgraph=True, dynamic=dynamic, backend="eager")
    for batch in (x, torch.cat([x, x]), torch.cat([x, x, x])):
        torch.testing.assert_close(compiled(batch, weight, bias), call(CASE, algorithm)(batch, weight, bias))


def test_torch_meta_and_half_precision(torch, algorithm):
    x, weight, bias = (torch.from_numpy(a) for a in CASE.arrays("float32"))
    y = call(CASE, algorithm)(x.to("meta"), weight.to("meta"), bias.to("meta"))
    assert y.device.type == "meta"
    assert y.shape == call(CASE, algorithm)(x, weight, bias).shape


@pytest.mark.parametrize("case", [CASE, GROUPED], ids=str)
def test_jax_gradients_agree_with_differences(jax, case, algorithm):
    if algorithm == "native" and case is GROUPED:
        pytest.skip("jax.lax.conv_transpose has no groups")
    from jax.test_util import check_grads

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
