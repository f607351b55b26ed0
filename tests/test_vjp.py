"""`vjp`: the result, and its derivatives against differences and against the definition."""

import numpy as np
import pytest

import upconv
from cases import CASES
from test_values import FEW, _numpy_dtype, skip_what_compiles_long
from upconv._libraries import owner
from upconv._route import computes

pytestmark = pytest.mark.value

NAMES = (
    "stride",
    "stride-dilation",
    "pairs",
    "pairs-negative",
    "crop-more-than-there-is",
    "output-padding-below-dilation",
    "output-size-beyond",
    "same-odd-crop",
    "valid",
    "groups",
    "depthwise-multiplier",
    "1d",
    "3d",
    "no-batch",
    "no-channels-in",
    "no-samples",
)
SOME = [case for case in CASES if case.name in NAMES]


def pulled(variant, case, algorithm, dtype="float64", **arguments):
    """The operands, the result and its three derivatives, as NumPy's, for a random cotangent."""
    arrays = [a for a in case.arrays(dtype) if a is not None]
    made = [variant.make(a) for a in arrays]
    try:
        y, pullback = upconv.vjp(*made, **case.arguments, algorithm=algorithm, **arguments)
    except ValueError as error:
        if "does not take" not in str(error):
            raise
        return None
    cotangent = np.random.default_rng(3).standard_normal(tuple(y.shape)).astype(dtype)
    try:
        found = pullback(variant.make(cotangent))
    except ValueError as error:  # an algorithm that takes the call and not its way back, as of integers
        if "does not take" not in str(error):
            raise
        return None
    for gradient, a in zip(found, made, strict=False):
        assert owner(gradient) is owner(y)
        assert gradient.dtype == a.dtype
        assert tuple(gradient.shape) == tuple(a.shape)
    assert case.bias == (found[2] is not None)
    return arrays, cotangent, variant.back(y), [variant.back(g) for g in found if g is not None]


@pytest.mark.parametrize("case", SOME, ids=str)
def test_derivatives_agree_with_differences(case, plain, library, algorithm):
    """Of <cotangent, y> along random tangents: y is of second degree, so central differences are exact."""
    skip_what_compiles_long(case, library, few=algorithm != "overlap_add")
    result = pulled(plain, case, algorithm)
    if result is None:
        return
    arrays, cotangent, y, gradients = result
    rng = np.random.default_rng(4)
    tangents = [rng.standard_normal(a.shape) for a in arrays]

    def value(t):
        moved = (plain.make(a + t * v) for a, v in zip(arrays, tangents, strict=True))
        return plain.back(upconv.conv_transpose(*moved, **case.arguments, algorithm=algorithm))

    np.testing.assert_allclose(value(0), y, rtol=1e-13, atol=1e-13)
    slope = np.sum(cotangent * (value(1) - value(-1))) / 2
    np.testing.assert_allclose(
        sum(np.sum(g * v) for g, v in zip(gradients, tangents, strict=True)), slope, rtol=1e-10, atol=1e-10
    )


def test_an_image_without_a_batch_and_channels_last(plain, algorithm):
    case = next(case for case in CASES if case.name == "pairs")
    result = pulled(plain, case, algorithm)
    if result is None:
        pytest.skip(f"{algorithm} does not take this call")
    (x, weight, bias), cotangent, _, (dx, dweight, dbias) = result
    made = [plain.make(np.moveaxis(x[:1], 1, -1)[0]), plain.make(weight), plain.make(bias)]
    _, pullback = upconv.vjp(*made, **case.arguments, data_format="channels_last", algorithm=algorithm)
    one = pullback(plain.make(np.moveaxis(cotangent[:1], 1, -1)[0]))
    assert tuple(one[0].shape) == tuple(made[0].shape)
    np.testing.assert_allclose(np.moveaxis(plain.back(one[0]), -1, 0), dx[0], atol=1e-12)
    result = upconv.vjp(*map(plain.make, (x[1:], weight, bias)), **case.arguments, algorithm=algorithm)[1]
    rest = result(plain.make(cotangent[1:]))
    for total, a, b in zip((dweight, dbias), one[1:], rest[1:], strict=True):
        np.testing.assert_allclose(plain.back(a) + plain.back(b), total, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_added_wide(plain, library, algorithm, dtype):
    """The bias alone, x and weight being compared in test_adjoint.py: a sum in its own precision stops at 2048."""
    if dtype not in library.dtypes:
        pytest.skip(f"{library.name} has no {dtype}")
    dtype = _numpy_dtype(dtype)
    x, weight, bias = (plain.make(np.ones(shape, dtype)) for shape in ((4, 1, 32, 32), (1, 1, 1, 1), (1,)))
    try:
        y, pullback = upconv.vjp(x, weight, bias, algorithm=algorithm)
    except ValueError as error:
        assert "does not take" in str(error)  # noqa: PT017  a refusal is one of two right answers
        return
    assert float(plain.back(pullback(y)[2])[0]) == 8192
    assert pullback(y)[2].dtype == x.dtype


def test_integers_wrap_around(plain, library):
    if "int8" not in library.dtypes:
        pytest.skip(f"{library.name} has no arithmetic for int8")
    x, weight, bias = (plain.make(np.full(shape, 3, "int8")) for shape in ((4, 1, 9), (1, 1, 2), (1,)))
    _, pullback = upconv.vjp(x, weight, bias)
    dx, dweight, dbias = pullback(plain.make(np.full((4, 1, 10), 3, "int8")))
    assert dx.dtype == dweight.dtype == dbias.dtype == x.dtype
    assert (plain.back(dx) == 18).all()
    assert (plain.back(dweight) == np.asarray(9 * 36).astype("int8")).all()
    assert plain.back(dbias) == np.asarray(3 * 40).astype("int8")


def test_the_way_back_takes_the_algorithm_where_it_can(plain, library, monkeypatch):
    used = []
    from upconv import _calls
    from upconv._libraries import lowerings

    monkeypatch.setattr(_calls, "_CALLS", {})

    for name, lowering in lowerings(library.name).items():
        if hasattr(lowering, "conv"):
            right = lowering.conv
            monkeypatch.setattr(
                lowering, "conv", lambda *call, right=right, name=name: used.append(name) or right(*call)
            )
    for algorithm in library.algorithms:
        used.clear()
        if pulled(plain, FEW[0], algorithm) is not None:
            has = computes(plain.make(np.ones(1)), algorithm, "conv", "conv_weight")
            assert (used[-1] == algorithm) == has
