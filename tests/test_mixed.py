"""A complex array and a real one of its precision in one call: two real calls, of the real and the imaginary part."""

import copy
import pickle

import numpy as np
import pytest

import upconv
from refusals import refused

GEOMETRY = {"stride": (2, 3), "padding": ((1, 0), (0, 2)), "groups": 2, "dilation": (1, 2)}
PAIRS = [("complex64", "float32"), ("complex128", "float64"), ("clongdouble", "longdouble")]


@pytest.fixture(params=PAIRS, ids=lambda pair: pair[0])
def pair(request, library):
    if request.param[0] not in library.dtypes:
        pytest.skip(f"{library.name} has no {request.param[0]}")
    return request.param


def draw(shape, dtype, seed=0):
    rng = np.random.default_rng([seed, *shape])
    values = rng.normal(size=shape)
    return (values + 1j * rng.normal(size=shape) if dtype.startswith("c") else values).astype(dtype)


def operands(pair, which, bias="none"):
    """Operands of which x or the weight is complex, and the bias as it says."""
    complex_, real = pair
    x = draw((2, 4, 3, 5), complex_ if which == "x" else real)
    weight = draw((4, 3, 3, 2), real if which == "x" else complex_)
    return x, weight, {"none": None, "real": draw((6,), real), "complex": draw((6,), complex_)}[bias]


def close(y, want):
    assert y.dtype.name == want.dtype.name
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("which", ["x", "weight"])
@pytest.mark.parametrize("bias", ["none", "real", "complex"])
def test_both_verbs_against_complex_operands(pair, variant, which, bias):
    x, weight, b = operands(pair, which, bias)
    raised = [a if a is None else a.astype(pair[0]) for a in (x, weight, b)]
    given = [a if a is None else variant.make(a) for a in (x, weight, b)]
    y = variant.call(
        lambda *a: upconv.conv_transpose(*a, None, **GEOMETRY) if len(a) < 3 else upconv.conv_transpose(*a, **GEOMETRY),
        *[a for a in given if a is not None],
    )
    want = upconv.conv_transpose(*raised, **GEOMETRY)
    close(variant.back(y), want)
    if variant.device is not None:
        assert variant.where(y) == variant.device
    image = want if which == "x" else np.ascontiguousarray(want.real)
    y = upconv.conv(variant.make(image), given[1], **GEOMETRY)
    close(variant.back(y), upconv.conv(image.astype(pair[0]), raised[1], **GEOMETRY))
    back = upconv.conv_weight(variant.make(x.real.copy()), variant.make(want.astype(pair[0])), (3, 2), **GEOMETRY)
    close(variant.back(back), upconv.conv_weight(x.real.astype(pair[0]), want, (3, 2), **GEOMETRY))


@pytest.mark.parametrize("which", ["x", "weight"])
def test_every_algorithm_that_takes_the_real_dtype(plain, pair, which, algorithm):
    x, weight, _ = operands(pair, which)
    given = plain.make(x), plain.make(weight)
    real = [plain.make(np.ascontiguousarray(a.real)) for a in (x, weight)]
    try:
        name = upconv.explain(*real, algorithm=algorithm).algorithm
    except ValueError:
        with pytest.raises(ValueError, match="`algorithm`"):
            upconv.conv_transpose(*given, algorithm=algorithm)
        return
    found = upconv.explain(*given, algorithm=algorithm)
    assert found.algorithm == name
    assert found.reason.startswith(f"`{which}` alone is complex: two real calls")
    want = upconv.conv_transpose(x.astype(pair[0]), weight.astype(pair[0]))
    y = plain.back(upconv.conv_transpose(*given, algorithm=algorithm))
    close(y, want)
    assert found.output_shape == y.shape


@pytest.mark.parametrize("shape", [(4, 3, 5), (0, 4, 3, 5), (2, 4, 0, 5)], ids=["unbatched", "no image", "no sample"])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_odd_shapes(plain, pair, shape, data_format):
    x, weight, bias = draw(shape, pair[0]), *(draw(s, pair[1]) for s in ((4, 3, 3, 2), (6,)))
    if data_format == "channels_last":
        x = np.ascontiguousarray(np.moveaxis(x, -3, -1))
    words = GEOMETRY | {"data_format": data_format}
    y = upconv.conv_transpose(
        *map(plain.make, (x, weight, bias)), padding=0, **{k: words[k] for k in words if k != "padding"}
    )
    want = upconv.conv_transpose(
        x, *(a.astype(pair[0]) for a in (weight, bias)), padding=0, **{k: words[k] for k in words if k != "padding"}
    )
    close(plain.back(y), want)


def test_an_inf_stays_in_its_part(plain, pair):
    """A product of complex numbers makes NaN of both parts; the real weight has no imaginary part to do so."""
    x = np.zeros((1, 1, 3), pair[0])
    x[0, 0, 1] = complex(2, np.inf)
    weight = np.asarray([[[1, 10]]], pair[1])
    y = plain.back(upconv.conv_transpose(plain.make(x), plain.make(weight), algorithm="generic"))
    np.testing.assert_array_equal(y.real[0, 0], [0, 2, 20, 0])
    np.testing.assert_array_equal(y.imag[0, 0], [0, np.inf, np.inf, 0])
    x[0, 0, 1] = complex(np.nan, 3)
    y = plain.back(upconv.conv_transpose(plain.make(x), plain.make(weight), algorithm="generic"))
    np.testing.assert_array_equal(y.imag[0, 0], [0, 3, 30, 0])
    np.testing.assert_array_equal(np.isnan(y.real[0, 0]), [False, True, True, False])
    x[0, 0, 1] = complex(1, -np.inf)
    y = plain.back(upconv.conv_transpose(plain.make(x), plain.make(weight), algorithm="generic"))
    np.testing.assert_array_equal(y.imag[0, 0], [0, -np.inf, -np.inf, 0])


@pytest.mark.parametrize("which", ["x", "weight"])
@pytest.mark.parametrize("bias", ["none", "real", "complex"])
def test_the_pullback_keeps_real_operands_real(plain, pair, which, bias):
    x, weight, b = operands(pair, which, bias)
    y, pullback = upconv.vjp(*[a if a is None else plain.make(a) for a in (x, weight, b)], **GEOMETRY)
    cotangent = draw(plain.back(y).shape, pair[0], seed=1)
    raised = [a if a is None else a.astype(pair[0]) for a in (x, weight, b)]
    wants = upconv.vjp(*raised, **GEOMETRY)[1](cotangent)
    for got, want, operand in zip(pullback(plain.make(cotangent)), wants, (x, weight, b), strict=True):
        assert (got is None) == (operand is None)
        if operand is not None:
            close(plain.back(got), want if operand.dtype.kind == "c" else want.real)


def test_precisions_that_differ_are_refused(plain, library):
    if "complex64" not in library.dtypes:
        pytest.skip(f"{library.name} has no complex arrays")
    x, weight = plain.make(np.ones((1, 1, 3), "complex64")), plain.make(np.ones((1, 1, 2), "float64"))
    fix = "convert one of them: beside complex64, complex64 or float32"
    for verb in (upconv.conv_transpose, upconv.conv):
        with refused(TypeError, match=f"`x` has dtype complex64 and `weight` has float64; {fix}"):
            verb(x, weight)
    with refused(TypeError, match=f"`x` has dtype float64 and `weight` has complex64; {fix}"):
        upconv.conv_transpose(weight, x)
    narrow = plain.make(np.ones((1, 1, 2), "float32"))
    with refused(TypeError, match="`x` has dtype complex64, `weight` float32 and `bias` float64; convert `bias` to c"):
        upconv.conv_transpose(x, narrow, plain.make(np.ones((1,), "float64")))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))], ids=["deepcopy", "pickle"])
def test_what_is_returned_can_be_copied(plain, library, copied):
    if library.name == "strict":
        pytest.skip("arrays of array-api-strict cannot be copied themselves")
    x, weight = plain.make(draw((2, 4, 3), "float32")), plain.make(draw((4, 3, 2), "float32"))
    y, pullback = upconv.vjp(x, weight, stride=2)
    for got, want in zip(copied(pullback)(y)[:2], pullback(y)[:2], strict=True):
        np.testing.assert_array_equal(plain.back(got), plain.back(want))
    prepared = copied(upconv.prepare(weight))
    np.testing.assert_array_equal(plain.back(upconv.conv_transpose(x, prepared, stride=2)), plain.back(y))
    assert copied(upconv.explain(x, weight)) == upconv.explain(x, weight)


@pytest.mark.usefixtures("once")
def test_a_linear_operator_can_be_copied_and_takes_both_kinds():
    pytest.importorskip("scipy")
    weight = draw((4, 3, 2), "float32")
    operator = upconv.linear_operator(weight, (4, 5), stride=3)
    matrix = upconv.as_matrix(weight, (4, 5), stride=3).toarray()
    v, u = draw((operator.shape[1], 2), "complex64"), draw((operator.shape[0],), "complex64")
    for op in (operator, pickle.loads(pickle.dumps(operator)), copy.deepcopy(operator)):
        close(op @ v, matrix @ v)
        close(op.H @ u, matrix.T @ u)
        assert (op @ v.real).dtype == np.float32
    kernel = weight + 1j * weight[::-1]
    operator, matrix = (f(kernel, (4, 5), stride=3) for f in (upconv.linear_operator, upconv.as_matrix))
    close(operator @ v.real, matrix @ v.real)
    close(operator.H @ u, matrix.toarray().conj().T @ u)


def test_gradients_of_pytorch(torch):
    x = torch.tensor(draw((1, 4, 2, 3), "complex128"), requires_grad=True)
    weight = torch.tensor(draw((4, 3, 3, 2), "float64"), requires_grad=True)
    bias = torch.tensor(draw((6,), "float64"), requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: upconv.conv_transpose(*a, **GEOMETRY), (x, weight, bias))
    conjugated = upconv.conv_transpose(x.detach().conj(), weight.detach(), **GEOMETRY)
    assert torch.allclose(conjugated, upconv.conv_transpose(x.detach(), weight.detach(), **GEOMETRY).conj())


def test_gradients_of_jax_are_those_of_the_pullback(library, plain):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    import jax

    x, weight, bias = map(plain.make, operands(("complex128", "float64"), "x", "real"))
    y, ours = upconv.vjp(x, weight, bias, **GEOMETRY)
    _, theirs = jax.vjp(lambda *a: upconv.conv_transpose(*a, **GEOMETRY), x, weight, bias)
    cotangent = plain.make(draw(y.shape, "complex128", seed=2))
    for got, want in zip(ours(cotangent), theirs(cotangent), strict=True):
        close(np.asarray(got), np.asarray(want))
    jax.jit(upconv.conv)(x, plain.make(draw((2, 4, 3, 2), "float64")))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("verb", ["conv", "conv_transpose"])
def test_weight_gradients_of_small_volumes_of_halves(torch, dtype, verb):
    """Of 2 x 2 x 2 samples in bfloat16, which PyTorch's own op is reported to compute wrongly."""
    for size in ((2, 2, 2), (1, 2, 3)):
        x, weight = draw((1, 3, *size), "float32", 1), draw((3, 3, 2, 2, 2), "float32", 2)
        found = []
        for kind in (getattr(torch, dtype), torch.float64):
            a = torch.tensor(x).to(getattr(torch, dtype)).to(kind)
            w = torch.tensor(weight).to(getattr(torch, dtype)).to(kind).requires_grad_()
            y = getattr(upconv, verb)(a, w, padding=1)
            y.backward(torch.ones_like(y))
            found.append(w.grad.double())
        assert torch.allclose(*found, rtol=1e-2, atol=1e-2)
