"""The convolution and the correlation: the definition's values, and the adjoint pair to rounding."""

import numpy as np
import pytest

import oracle
import upconv
from cases import CASES
from test_values import FEW, _numpy_dtype, skip_what_compiles_long
from upconv._libraries import lowerings, owner

pytestmark = pytest.mark.value

SMALL = [case for case in CASES if not case.is_layer]


@pytest.fixture(autouse=True)
def not_again(library, request):
    """PyTorch's tiles have the ways back of its own op."""
    name = request.getfixturevalue("algorithm") if "algorithm" in request.fixturenames else ""
    if library.name == "torch" and name == "overlap_add":
        assert lowerings("torch")[name].conv is lowerings("torch")["native"].conv
        pytest.skip("the function that native has")


def words(case):
    """The arguments of conv and conv_weight that belong to a case: the exact crop, whatever its words were."""
    stride, dilation, groups, lo, out = case.geometry
    axes = zip(case.x[2:], case.weight[2:], stride, dilation, strict=True)
    full = oracle.full(*zip(*axes, strict=True))
    pads = tuple((front, n - o - front) for n, o, front in zip(full, out, lo, strict=True))
    return {"stride": stride, "padding": pads, "dilation": dilation, "groups": groups}


def draws(case, dtype, seed=1):
    """x and weight of the case, a random image of its output, and a bias for the way back."""
    x, weight, _ = case.arrays(dtype)
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((case.x[0], case.weight[1] * case.groups, *case.out))
    bias = rng.standard_normal(case.weight[0])
    if np.dtype(dtype).kind in "iu":
        y, bias = 4 * abs(y), 4 * abs(bias)
    return x, weight, y.astype(dtype), bias.astype(dtype)


def call(variant, function, arrays, data_format, images, **arguments):
    """Call on the variant's arrays, ``images`` of them with channels last if so asked; return NumPy's, or None."""
    last = data_format == "channels_last"
    made = [variant.make(np.moveaxis(a, 1, -1) if last and n in images else a) for n, a in enumerate(arrays)]
    try:
        result = variant.call(lambda *made: function(*made, data_format=data_format, **arguments), *made)
    except ValueError as error:
        if "does not take" not in str(error):
            raise
        return None
    assert owner(result) is owner(made[0])
    assert result.dtype == made[0].dtype
    if variant.device is not None:
        assert variant.where(result) == variant.device
    return variant.back(result)


def both(variant, case, algorithm, dtype, data_format="channels_first"):
    """The convolution and the correlation of one case, channels first, or None where the algorithm has none."""
    x, weight, y, bias = draws(case, dtype)
    arguments = words(case) | {"algorithm": algorithm}
    back = call(variant, upconv.conv, (y, weight, bias), data_format, (0,), **arguments)
    if back is not None and data_format == "channels_last":
        back = np.moveaxis(back, -1, 1)

    def correlate(x, y, **arguments):
        return upconv.conv_weight(x, y, case.weight[2:], **arguments)

    return back, call(variant, correlate, (x, y), data_format, (0, 1), **arguments)


def exact(case, dtype):
    """What the oracle says of both, in a wider type, and the sums of magnitudes."""
    wide = np.clongdouble if np.dtype(dtype).kind == "c" else np.longdouble
    values = [a.astype(wide) for a in draws(case, dtype)]
    stride, dilation, groups, lo, _ = case.geometry

    def two(x, weight, y, bias):
        geometry = (stride, dilation, groups, lo)
        return (
            oracle.conv(y, weight, bias, *geometry, case.x[2:]),
            oracle.conv_weight(x, y, case.weight[2:], *geometry),
        )

    return two(*values), two(*map(np.abs, values))


def check(found, case, dtype="float64", factor=2, eps=None, half=0.0):
    """Element by element, to the bound of the sum's length."""
    terms = (
        case.weight[1] * int(np.prod(case.weight[2:])) + 2,
        case.x[0] * int(np.prod(np.minimum(case.x[2:], case.out))) + 2,
    )
    for result, right, magnitude, n in zip(found, *exact(case, dtype), terms, strict=True):
        if result is not None:
            assert result.shape == right.shape
            bound = factor * n * (eps or np.finfo(dtype).eps) * magnitude
            assert (
                np.abs(result.astype(right.dtype) - right) <= bound + half * np.abs(right) + 1e-7 * (half > 0)
            ).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_named_geometries(case, plain, library, algorithm):
    # JAX derives the ways back of each algorithm from the way forth, which test_values.py has in every geometry.
    skip_what_compiles_long(case, library, few=algorithm != "overlap_add")
    if library.name == "dask" and case not in FEW:
        pytest.skip("each tap is a step of Dask's graph for each chunk, of the program that every library runs")
    check(both(plain, case, algorithm, "float64"), case)


@pytest.mark.parametrize("case", FEW, ids=str)
def test_every_kind_of_array_and_both_layouts(case, variant, library, algorithm):
    if library.name == "jax" and algorithm == "generic" and case not in FEW[:2]:
        pytest.skip("where it is not jitted, each of its operations is compiled alone")
    check(both(variant, case, algorithm, "float64"), case)
    check(both(variant, case, algorithm, "float32", "channels_last"), case, "float32")


@pytest.mark.parametrize("case", FEW, ids=str)
def test_complex(case, plain, library, algorithm):
    if "complex128" not in library.dtypes:
        pytest.skip(f"{library.name} has no complex128")
    check(both(plain, case, algorithm, "complex128"), case, "complex128", factor=8)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", FEW, ids=str)
def test_halves_are_added_wide_and_rounded_once(case, dtype, plain, library, algorithm):
    if dtype not in library.dtypes:
        pytest.skip(f"{library.name} has no {dtype}")
    dtype = _numpy_dtype(dtype)
    half = 2.0 ** (-11 if dtype == np.float16 else -8)
    check(both(plain, case, algorithm, dtype), case, dtype, eps=np.finfo(np.float32).eps, half=half)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize("case", [*FEW[:4], FEW[-1]], ids=str)
def test_integers_are_exact_and_wrap_around(case, dtype, plain, library, algorithm):
    if dtype not in library.dtypes:
        pytest.skip(f"{library.name} has no arithmetic for {dtype}")
    (right, weight), _ = exact(case, dtype)
    back, correlated = both(plain, case, algorithm, dtype)
    if back is not None:
        assert (back == right.astype("int64").astype(dtype)).all()
    if correlated is not None:
        assert (correlated == weight.astype("int64").astype(dtype)).all()


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_the_pair_is_adjoint(case, plain):
    """<conv(y), x> = <y, conv_transpose(x)> = <conv_weight(x, y), weight>, with upconv on both sides."""
    x, weight, y, _ = draws(case, "float64")
    _, (_, magnitude) = exact(case, "float64")
    try:
        up = upconv.conv_transpose(plain.make(x), plain.make(weight), **case.arguments)
        down = upconv.conv(plain.make(y), plain.make(weight), **words(case))
        across = upconv.conv_weight(plain.make(x), plain.make(y), case.weight[2:], **words(case))
    except ValueError as error:
        assert "does not take" in str(error)  # noqa: PT017
        pytest.skip("the library has not so many axes")
    expected = np.sum(plain.back(up) * y)
    rounding = 1e-13 * np.sum(magnitude * np.abs(weight))
    assert abs(np.sum(plain.back(down) * x) - expected) <= rounding
    assert abs(np.sum(plain.back(across) * weight) - expected) <= rounding


@pytest.mark.parametrize("padding", [0, 1, ((0, 2), (3, 1)), ((-1, 1), (2, -2)), "same", "valid"])
@pytest.mark.parametrize("size", [(9, 7), (10, 8), (11, 9), (8, 10)])
def test_the_pair_with_the_same_words(plain, size, padding):
    """Odd sizes, leftovers that the stride does not divide, uneven pads: the same words, and the size that was lost."""
    rng = np.random.default_rng(7)
    words = {"stride": (2, 3), "padding": padding, "dilation": (1, 2), "groups": 2}
    y, weight = rng.standard_normal((2, 6, *size)), rng.standard_normal((4, 3, 4, 2))
    made, kernel = plain.make(y), plain.make(weight)
    down = upconv.conv(made, kernel, **words)
    pads = {0: [(0, 0)] * 2, 1: [(1, 1)] * 2, "valid": [(0, 0)] * 2}.get(padding, padding)
    spans = zip(size, (2, 3), (4, 3), pads, strict=True) if padding != "same" else ()
    sizes = [len(range(-lo, n + hi - span + 1, s)) for n, s, span, (lo, hi) in spans]  # the places of whole windows
    sizes = sizes or [len(range(0, n, s)) for n, s in zip(size, (2, 3), strict=True)]
    assert tuple(down.shape) == (2, 4, *sizes)
    x = rng.standard_normal(down.shape)
    up = upconv.conv_transpose(plain.make(x), kernel, **words, output_size=size)
    assert tuple(up.shape) == y.shape
    across = upconv.conv_weight(plain.make(x), made, (4, 2), **words)
    expected = np.sum(plain.back(up) * y)
    np.testing.assert_allclose(np.sum(plain.back(down) * x), expected, rtol=1e-12)
    np.testing.assert_allclose(np.sum(plain.back(across) * weight), expected, rtol=1e-12)


ILL = [(operand, value) for operand in range(2) for value in (np.nan, np.inf)]


@pytest.mark.parametrize("operand, value", ILL)
@pytest.mark.parametrize("case", FEW[:6], ids=str)
def test_what_is_not_finite_stays_in_its_receptive_field(case, operand, value, plain, library, algorithm):
    """One sample of an image, or one tap: what it takes part in is not finite, and all else is as it was."""
    stride, dilation, groups, lo, _ = case.geometry
    x, weight, y, bias = draws(case, "float64")
    geometry = (stride, dilation, groups, lo)
    place = 0 if np.isnan(value) else -1  # the first of all, or the last

    def reached(function, arrays, *rest):
        """Which results have a term with the mark, counted on ones."""
        marked = [np.ones(a.shape) for a in arrays]
        marked[operand][...] = 0
        marked[operand][(place,) * arrays[operand].ndim] = 1
        return function(*marked, *rest) > 0

    def ill(arrays):
        arrays = [a.copy() for a in arrays]
        arrays[operand][(place,) * arrays[operand].ndim] = value
        return arrays

    arguments = words(case) | {"algorithm": algorithm}
    with np.errstate(invalid="ignore"):  # inf - inf: NumPy's own warning about its own sum
        back = call(plain, upconv.conv, (*ill((y, weight)), bias), "channels_first", (0,), **arguments)
        arguments["kernel_size"] = case.weight[2:]
        correlated = call(plain, upconv.conv_weight, ill((x, y)), "channels_first", (0, 1), **arguments)
    fields = (
        reached(oracle.conv, (y, weight), None, *geometry, case.x[2:]),
        reached(oracle.conv_weight, (x, y), case.weight[2:], *geometry),
    )
    leaks = getattr(lowerings(library.name)[algorithm], "LEAKS", {})
    right, _ = exact(case, "float64")
    for verb, result, field, was in zip(("conv", "conv_weight"), (back, correlated), fields, right, strict=True):
        if result is not None:
            assert not np.isfinite(result[field]).any()
            if verb not in leaks:
                np.testing.assert_allclose(result[~field], was[~field].astype("float64"), rtol=1e-10, atol=1e-12)
