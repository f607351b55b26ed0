"""The transposed convolution as linear algebra: its matrix on every library, its operator where solvers are."""

import numpy as np
import pytest

import oracle
import upconv
from cases import CASES
from refusals import refused
from upconv._libraries import owner

NAMES = (
    "stride",
    "pairs",
    "pairs-negative",
    "groups",
    "stride-dilation",
    "output-size-beyond",
    "1d",
    "3d",
    "no-samples",
)
SOME = [case for case in CASES if case.name in NAMES]
LAYOUTS = ("channels_first", "channels_last")


@pytest.fixture
def scipy(library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no sparse matrices of SciPy")
    return pytest.importorskip("scipy")


def matrix_of(case):
    """Column by column, from the definition."""
    weight = case.arrays()[1]
    shape = case.x[1:]
    columns = [
        oracle.conv_transpose(unit.reshape(1, *shape), weight, None, *case.geometry).ravel()
        for unit in np.eye(int(np.prod(shape)))
    ]
    return np.asarray(columns).T


@pytest.mark.value
@pytest.mark.parametrize("case", SOME, ids=str)
def test_the_matrix_is_the_definition(case, plain):
    weight = plain.make(case.arrays()[1])
    found = upconv.as_matrix(weight, case.x[1:], **case.arguments, dense=True)
    assert owner(found) is owner(weight)
    assert found.dtype == weight.dtype
    assert tuple(found.shape) == (case.weight[1] * case.groups * int(np.prod(case.out)), int(np.prod(case.x[1:])))
    np.testing.assert_array_equal(plain.back(found), matrix_of(case).reshape(found.shape))


@pytest.mark.value
@pytest.mark.parametrize("data_format", LAYOUTS)
@pytest.mark.parametrize("case", SOME, ids=str)
def test_the_sparse_matrix_is_the_dense_one(case, scipy, data_format):
    weight, shape = case.arrays()[1], case.x[1:]
    shape = (*shape[1:], shape[0]) if data_format == "channels_last" else shape
    found = upconv.as_matrix(weight, shape, **case.arguments, data_format=data_format)
    assert isinstance(found, scipy.sparse.csr_array)
    assert found.dtype == weight.dtype
    dense = upconv.as_matrix(weight, shape, **case.arguments, data_format=data_format, dense=True)
    np.testing.assert_array_equal(found.toarray(), dense)
    assert found.nnz == np.count_nonzero(dense)


@pytest.mark.value
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("case", SOME, ids=str)
def test_the_operator_is_the_matrix(case, scipy, dtype):
    weight = case.arrays(dtype)[1]
    operator = upconv.linear_operator(weight, case.x[1:], **case.arguments)
    matrix = upconv.as_matrix(weight, case.x[1:], **case.arguments, dense=True)
    assert operator.shape == matrix.shape
    assert operator.dtype == weight.dtype
    rng = np.random.default_rng(2)
    for one, other in ((operator, matrix), (operator.H, matrix.conj().T)):
        for shape in ((one.shape[1],), (one.shape[1], 1), (one.shape[1], 3)):
            v = rng.standard_normal(shape)
            assert (one @ v).dtype == (other @ v).dtype
            np.testing.assert_allclose(one @ v, other @ v, rtol=1e-12, atol=1e-12)


@pytest.mark.value
def test_solvers_invert_it(scipy):
    from scipy.sparse import linalg

    rng = np.random.default_rng(8)
    weight, x = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal(2 * 6 * 5)
    operator = upconv.linear_operator(weight, (2, 6, 5), stride=(2, 3), padding=((1, 0), (0, 2)))
    y = operator @ x
    np.testing.assert_allclose(linalg.lsqr(operator, y, atol=1e-14, btol=1e-14)[0], x, atol=1e-9)
    np.testing.assert_allclose(linalg.cg(operator.H @ operator, operator.H @ y, rtol=1e-13)[0], x, atol=1e-9)


@pytest.mark.value
@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4", ">c16"])
@pytest.mark.parametrize("data_format", LAYOUTS)
def test_of_a_big_endian_weight(scipy, dtype, data_format):
    case = next(case for case in SOME if case.name == "groups")
    weight = case.arrays(np.dtype(dtype).newbyteorder("="))[1]
    shape = case.x[1:] if data_format == "channels_first" else (*case.x[2:], case.x[1])
    words = case.arguments | {"data_format": data_format}
    expected = upconv.as_matrix(weight, shape, **words, dense=True)
    odd = weight.astype(dtype)
    sparse, dense = (upconv.as_matrix(odd, shape, **words, dense=dense) for dense in (False, True))
    for found in (sparse.toarray(), dense):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype.name == weight.dtype.name
    if weight.dtype.kind in "fc":
        operator = upconv.linear_operator(odd, shape, **words)
        v, u = (np.random.default_rng(n).standard_normal(expected.shape[n]).astype(weight.dtype) for n in (1, 0))
        for vector, other in ((v, u), (v.astype(dtype), u.astype(dtype))):
            np.testing.assert_allclose(operator @ vector, expected @ v, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(operator.H @ other, expected.conj().T @ u, rtol=1e-4, atol=1e-4)


@pytest.mark.value
def test_of_a_weight_that_is_unaligned_or_read_only(scipy):
    case = next(case for case in SOME if case.name == "pairs")
    weight = case.arrays()[1]
    unaligned = np.zeros(weight.nbytes + 1, "uint8")[1:].view(weight.dtype).reshape(weight.shape)
    unaligned[...] = weight
    unaligned.flags.writeable = False
    found = upconv.as_matrix(unaligned, case.x[1:], **case.arguments)
    np.testing.assert_array_equal(found.toarray(), matrix_of(case))


def test_refusals(library, plain, monkeypatch):
    weight = plain.make(np.ones((2, 1, 3)))
    if library.name not in ("numpy", "cupy"):
        with refused(TypeError, f"`linear_operator` takes a `weight` of NumPy or CuPy, got one of {library.name}"):
            upconv.linear_operator(weight, (2, 5))
    elif library.name == "numpy":
        import sys

        monkeypatch.setitem(sys.modules, "scipy.sparse", None)
        monkeypatch.setitem(sys.modules, "scipy.sparse.linalg", None)
        for function in (upconv.linear_operator, upconv.as_matrix):
            with refused(ImportError, f'`{function.__name__}` needs SciPy: pip install "upconv'):
                function(weight, (2, 5))
    if library.name == "cupy":
        pytest.skip("whether CuPy's sparse matrices are here depends on the machine")
    for function in (upconv.linear_operator, upconv.as_matrix):
        with refused(TypeError, "`weight` must be an array of one of"):
            function([[[1.0]]], (1, 5))
        with refused(TypeError, "`x_shape` must be a tuple of ints, got 5"):
            function(weight, 5)
        with refused(ValueError, r"`x` has 3 channels where `weight`, \(2, 1, 3\), has 2"):
            function(weight, (3, 5))


def test_a_dense_matrix_beyond_memory_is_refused(library, plain):
    weight = plain.make(np.ones((2, 1, 3)))
    text = r"`x_shape` \(2, 1099511627776\) makes a dense matrix of .*; `conv_transpose` needs no matrix"
    with refused(ValueError, text):
        upconv.as_matrix(weight, (2, 2**40), dense=True)


@pytest.mark.parametrize("call", [upconv.linear_operator, upconv.as_matrix])
def test_a_shape_with_a_batch_is_named(call):
    with refused(ValueError, match=r"`x_shape` must have 3 axes, .* got 4 axes, \(2, 1, 3, 3\)"):
        call(np.ones((1, 2, 4, 5)), (2, 1, 3, 3))
    with refused(TypeError, match=r"`x_shape` must be .{,200}$"):
        call(np.ones((1, 2, 4, 5)), np.ones((40, 50, 60)))
