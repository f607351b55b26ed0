"""Every algorithm of every library gives the definition's values, element by element, to the rounding bound."""

from functools import partial

import numpy as np
import pytest

import upconv
from cases import CASES
from oracle import BY_NORMS, bound_by_norms, conv_transpose, exact_and_bound
from upconv._libraries import lowerings, owner

pytestmark = pytest.mark.value


def run(variant, case, algorithm, dtype="float64", data_format="channels_first"):
    """Call upconv; return its result as NumPy's, channels first, or None where the algorithm refuses the call."""
    x, weight, bias = case.arrays(dtype)
    if data_format == "channels_last":
        x = np.moveaxis(x, 1, -1)
    made = [None if a is None else variant.make(a) for a in (x, weight, bias)]
    try:
        call = partial(upconv.conv_transpose, **case.arguments, data_format=data_format, algorithm=algorithm)
        y = variant.call(call, *made)
    except ValueError as error:
        if "does not take" not in str(error):
            raise
        return None
    assert owner(y) is owner(made[0])
    assert y.dtype == made[0].dtype
    if variant.device is not None:
        assert variant.where(y) == variant.device
    y = variant.back(y)
    return np.moveaxis(y, -1, 1) if data_format == "channels_last" else y


def check(y, case, dtype="float64", eps=None, factor=2, algorithm="auto"):
    if y is None:
        return
    exact, bound = exact_and_bound(
        *case.arrays(dtype), *case.geometry, eps=eps or np.finfo(dtype).eps, terms_factor=factor
    )
    if algorithm in BY_NORMS:
        bound = bound_by_norms(exact, *case.arrays(dtype)[:2], eps or np.finfo(dtype).eps)
    assert y.shape == exact.shape == (case.x[0], case.weight[1] * case.groups, *case.out)
    error = np.abs(y.astype(exact.dtype) - exact)
    assert (error <= bound).all(), f"largest error {error.max()}, allowed there {bound.flat[error.argmax()]}"


FEW = [
    case
    for case in CASES
    if case.name in ("stride", "pairs", "groups", "1d", "3d-dilated", "pairs-negative", "no-samples")
]


def skip_what_compiles_long(case, library, *, few):
    """XLA compiles every geometry anew: where the same formula is tested elsewhere, a few stand for all."""
    if library.name == "dask" and np.prod(case.weight[2:]) > 64:
        pytest.skip("each tap is a step of Dask's graph, of the program that every library runs")
    if library.name == "jax" and few and case not in FEW:
        pytest.skip("XLA compiles it anew for each geometry: a few stand for all")


@pytest.mark.parametrize("case", [case for case in CASES if not case.is_layer], ids=str)
def test_named_geometries(case, variant, plain, library, algorithm):
    # The generic program is that of every library, and has an operation or more for each tap; a device is no geometry.
    skip_what_compiles_long(case, library, few=algorithm == "generic" or str(variant) != str(plain))
    check(run(variant, case, algorithm), case, algorithm=algorithm)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_layouts_and_precisions(case, plain, library, algorithm):
    skip_what_compiles_long(case, library, few=algorithm == "generic")
    check(run(plain, case, algorithm, "float32"), case, "float32", algorithm=algorithm)
    check(run(plain, case, algorithm, "float32", data_format="channels_last"), case, "float32", algorithm=algorithm)
    if case.is_layer:
        check(run(plain, case, algorithm), case, algorithm=algorithm)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
@pytest.mark.parametrize("case", FEW, ids=str)
def test_precisions(case, dtype, plain, library, algorithm):
    if dtype not in library.dtypes:
        pytest.skip(f"{library.name} has no {dtype}")
    # PyTorch and XLA compute a complex product as three real ones, which costs up to a factor of four.
    factor = 8 if "complex" in dtype else 2
    check(run(plain, case, algorithm, dtype), case, dtype, factor=factor, algorithm=algorithm)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", FEW, ids=str)
def test_halves_are_added_wide_and_rounded_once(case, dtype, plain, library, algorithm):
    if dtype not in library.dtypes:
        pytest.skip(f"{library.name} has no {dtype}")
    dtype = _numpy_dtype(dtype)
    y = run(plain, case, algorithm, dtype)
    if y is None:
        return
    exact, bound = exact_and_bound(*case.arrays(dtype), *case.geometry, eps=np.finfo(np.float32).eps)
    half = 2.0 ** (-11 if dtype == np.float16 else -8)
    error = np.abs(y.astype(np.longdouble) - exact)
    assert (error <= half * np.abs(exact) + 1.01 * bound + 1e-7).all()


def _numpy_dtype(name):
    if name == "bfloat16":
        return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    return np.dtype(name)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("case", [*FEW[:4], FEW[-1]], ids=str)
def test_integers_are_exact_and_wrap_around(case, dtype, plain, library, algorithm):
    if dtype not in library.dtypes:
        pytest.skip(f"{library.name} has no arithmetic for {dtype}")
    y = run(plain, case, algorithm, dtype)
    if y is not None:
        x, weight, bias = (None if a is None else a.astype("int64") for a in case.arrays(dtype))
        assert (y == conv_transpose(x, weight, bias, *case.geometry).astype(dtype)).all()


@pytest.mark.parametrize("operand", ["x", "weight"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("case", FEW[:5], ids=str)
def test_what_is_not_finite_stays_in_its_receptive_field(case, value, operand, plain, library, algorithm):
    x, weight, _ = case.arrays()
    marked = np.zeros((x if operand == "x" else weight).shape)
    marked[..., *(0 if np.isnan(value) else -1,) * case.rank] = 1
    (x if operand == "x" else weight)[marked > 0] = value
    made = [plain.make(a) for a in (x, weight)]
    try:
        with np.errstate(invalid="ignore"):  # inf - inf: NumPy's own warning about its own sum
            y = plain.back(upconv.conv_transpose(*made, **case.arguments, algorithm=algorithm))
    except ValueError:
        return
    ones = (marked, np.ones(weight.shape)) if operand == "x" else (np.ones(x.shape), marked)
    reached = conv_transpose(*ones, None, *case.geometry) > 0
    assert not np.isfinite(y[reached]).any()
    if operand not in getattr(lowerings(library.name)[algorithm], "LEAKS", {}).get("conv_transpose", ()):
        exact = conv_transpose(*(np.nan_to_num(a, posinf=0) for a in (x, weight)), None, *case.geometry)
        np.testing.assert_allclose(y[~reached], exact[~reached], rtol=1e-10, atol=1e-12)
