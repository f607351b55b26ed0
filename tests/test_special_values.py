"""NaN and inf, zeros of either sign, the largest and the smallest numbers: of each operand, in each verb."""

from functools import partial

import numpy as np
import pytest

import oracle
import upconv
from cases import CASES, Case
from test_adjoint import words
from test_values import _numpy_dtype
from upconv._libraries import lowerings

pytestmark = pytest.mark.value

# Overhanging taps, appended zeros, a stride that does not divide the kernel, groups, and none of these.
NAMES = ("pairs", "pairs-negative", "groups")
ILL = [case for case in CASES if case.name in NAMES]
ILL.append(Case("unpadded", (2, 3, 4, 5), (3, 4, 3, 4), (0, 0), (9, 16), {"stride": (2, 3)}))
ILL.append(Case("at-stride-1", (1, 6, 11, 14), (6, 8, 3, 3), (1, 1), (11, 14), {"padding": 1}))


def verbs(case):
    """For each verb its operands, how upconv computes it from them, and how the definition does from the first two."""
    stride, dilation, groups, lo, out = case.geometry
    said, geometry = words(case), (stride, dilation, groups, lo)
    x, weight, _ = case.arrays("float32")
    y = np.random.default_rng(2).standard_normal((case.x[0], case.weight[1] * groups, *out)).astype("float32")

    def conv_transpose(x, weight, bias=None, **rest):
        return upconv.conv_transpose(x, weight, bias, **said, **rest)

    def conv(y, weight, bias=None, **rest):
        return upconv.conv(y, weight, bias, **said, **rest)

    def conv_weight(x, y, **rest):
        return upconv.conv_weight(x, y, case.weight[2:], **said, **rest)

    return {
        "conv_transpose": (
            ("x", "weight"),
            (x, weight),
            conv_transpose,
            lambda *a: oracle.conv_transpose(*a, None, *geometry, out),
        ),
        "conv": (("y", "weight"), (y, weight), conv, lambda *a: oracle.conv(*a, None, *geometry, case.x[2:])),
        "conv_weight": (("x", "y"), (x, y), conv_weight, lambda *a: oracle.conv_weight(*a, case.weight[2:], *geometry)),
    }


def call(function, plain, algorithm, *arrays):
    """Call on the library's arrays; NumPy's result, or None where the algorithm refuses."""
    try:
        with np.errstate(all="ignore"):  # NumPy's own warnings about its own sums
            return plain.back(function(*map(plain.make, arrays), algorithm=algorithm))
    except ValueError as error:
        if "does not take" not in str(error):
            raise
        return None


@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
@pytest.mark.parametrize("case", ILL, ids=str)
def test_it_stays_in_its_receptive_field_or_is_said_to_leave(case, verb, plain, library, algorithm):
    """One inf, anywhere: what has a term with it is an inf of that term's sign, and all else is finite."""
    if library.name in ("jax", "dask") and algorithm == "generic" and case is not ILL[0]:
        pytest.skip("its operations are compiled or made a graph of one by one, and are those of every library")
    names, arrays, function, definition = verbs(case)[verb]
    leaks = getattr(lowerings(library.name)[algorithm], "LEAKS", {}).get(verb, "").split(" or ")
    rng = np.random.default_rng(3)
    for n, name in enumerate(names):
        for place in (
            (0,) * arrays[n].ndim,
            tuple(rng.integers(arrays[n].shape)),
            tuple(s - 1 for s in arrays[n].shape),
        ):
            mark = np.zeros(arrays[n].shape)
            mark[place] = 1
            terms = definition(*(mark if k == n else a.astype("float64") for k, a in enumerate(arrays)))
            for value in (np.inf, np.nan):
                ill = [a.copy() for a in arrays]
                ill[n][place] = value
                y = call(function, plain, algorithm, *ill)
                if y is None:
                    continue
                reached = terms != 0
                assert not np.isfinite(y[reached]).any()
                if name not in leaks:
                    assert np.isfinite(y[~reached]).all()
                    np.testing.assert_array_equal(y[reached], value * np.sign(terms[reached]))


@pytest.mark.parametrize("verb", ["conv_transpose", "conv"])
def test_of_a_bias_it_stays_in_its_channel(verb, plain, algorithm):
    (_, arrays, function, definition) = verbs(ILL[0])[verb]
    bias = np.ones(definition(*arrays).shape[1], "float32")
    bias[1] = -np.inf
    y = call(function, plain, algorithm, *arrays, bias)
    if y is not None:
        assert (y[:, 1] == -np.inf).all()
        assert np.isfinite(np.delete(y, 1, axis=1)).all()


def test_explain_names_those_that_cannot(plain, library, algorithm):
    x, weight = (plain.make(a) for a in ILL[-1].arrays("float32")[:2])
    try:
        reason = upconv.explain(x, weight, algorithm=algorithm).reason
    except ValueError:
        return
    leaks = getattr(lowerings(library.name)[algorithm], "LEAKS", {})
    assert ("an inf or a NaN may leave its receptive field" in reason) == bool(leaks)
    assert all(f"in {verb} one in {operands}" in reason for verb, operands in leaks.items())


@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
def test_zeros_of_either_sign_add_to_zero(verb, plain, algorithm):
    """The sign of the sum is the library's own."""
    _, arrays, function, _ = verbs(ILL[1])[verb]
    y = call(function, plain, algorithm, np.copysign(np.float32(0), arrays[0]), arrays[1])
    assert y is None or (y == 0).all()


def test_what_no_tap_reaches_is_a_positive_zero(plain, algorithm):
    x, weight, _ = Case("apart", (1, 2, 3, 4), (2, 3, 1, 2), (0, 0), (7, 10)).arrays("float32")
    y = call(lambda *a, **k: upconv.conv_transpose(*a, stride=3, **k), plain, algorithm, x, -abs(weight))
    if y is not None:
        assert (y[:, :, 1::3] == 0).all()
        assert not np.signbit(y[:, :, 1::3]).any()


@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
def test_what_is_too_large_is_an_inf_there_and_there_alone(verb, plain, library, algorithm):
    _, arrays, function, definition = verbs(ILL[3])[verb]
    large, place = arrays[0].copy(), (0,) * arrays[0].ndim
    large[place] = np.finfo("float32").max
    mark = np.zeros(large.shape)
    mark[place] = 1
    times = np.full(arrays[1].shape, 4, "float32")
    reached = definition(mark, times) > 0
    y = call(function, plain, algorithm, large, times)
    if y is not None:
        assert (y[reached] == np.inf).all()
        assert np.isfinite(y[~reached]).all()


# XLA and TensorFlow flush denormals on their threads, and CuPy in its kernels.
FLUSH = ("jax", "tensorflow", "cupy")


@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
def test_denormals_are_kept_unless_the_library_flushes_them(verb, plain, library, algorithm):
    _, arrays, function, definition = verbs(ILL[3])[verb]
    small = np.full(arrays[0].shape, 2.0**-140, "float32")
    times = np.full(arrays[1].shape, 2, "float32")
    y = call(function, plain, algorithm, small, times)
    if y is not None:
        exact = definition(small.astype("float64"), times.astype("float64"))
        assert ((y == exact) | ((y == 0) & (library.name in FLUSH))).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
def test_halves_are_added_wide_and_rounded_once(verb, dtype, plain, library, algorithm):
    """Three terms of which each pair, rounded, loses the third; the bias may be one, and none overflows on the way."""
    if dtype not in library.dtypes:
        pytest.skip(f"{library.name} has no {dtype}")
    dtype = _numpy_dtype(dtype)
    whole, above = (1024, 1025) if dtype == np.float16 else (256, 258)
    ulp = above - whole
    terms = [whole, ulp / 2, ulp / 64]
    large = [60000, 60000, -60000]

    def add(terms, shape):
        """Sum them over channels, or over taps."""
        terms, ones = np.asarray(terms, dtype), np.ones(3, dtype)
        if verb == "conv_weight":
            function = partial(upconv.conv_weight, kernel_size=(1,))
            return call(function, plain, algorithm, ones.reshape(1, 1, 3), terms.reshape(1, 1, 3))
        if verb == "conv":
            return call(upconv.conv1d, plain, algorithm, ones.reshape(1, *shape), terms.reshape(1, *shape))
        function = partial(upconv.conv_transpose1d, padding=shape[1] - 1)
        return call(function, plain, algorithm, ones.reshape(1, *shape), terms.reshape(shape[0], 1, shape[1]))

    for shape in ((3, 1), (1, 3)):
        if add(terms, shape) is not None:
            assert add(terms, shape).ravel() == above
            assert add(large, shape).ravel() == dtype.type(60000)
            if dtype == np.float16:
                assert add([*large[:2], 0], shape).ravel() == np.inf
    if verb != "conv_weight":
        function = {"conv_transpose": upconv.conv_transpose1d, "conv": upconv.conv1d}[verb]
        arrays = (np.ones((1, 1, 1), dtype), np.full((1, 1, 1), whole, dtype), np.asarray([ulp / 2 + ulp / 64], dtype))
        y = call(function, plain, algorithm, *arrays)
        assert y is None or y.ravel() == above
