"""Numbers near 2**63: computed where the result is small, and at once an error where no memory holds it."""

import signal
from contextlib import contextmanager

import numpy as np
import pytest

import oracle
import upconv
from cases import Case
from refusals import refused

MOST = 2**63 - 1


def far(name, x, weight, lo, out, **words):
    """A case that says where its output lies by `padding` and `output_size`."""
    words |= {"padding": tuple((front, 0) for front in lo), "output_size": out}
    return Case(name, x, weight, lo, out, words)


FAR = [
    far("one-sample", (2, 3, 1), (3, 2, 4), (1,), (3,), stride=MOST),
    far("one-sample-2d", (1, 2, 1, 1), (2, 3, 3, 2), (0, 1), (3, 2), stride=(2**20, 2**21)),
    far("one-tap", (1, 2, 4), (2, 3, 1), (1,), (3,), dilation=MOST),
    far("between-strides", (1, 2, 3), (2, 3, 3), (2**40 - 1,), (5,), stride=2**40),
    far("between-strides-2d", (1, 2, 3, 4), (2, 3, 3, 2), (2**31 - 1, 2**32 - 2), (5, 6), stride=2**31),
    far("front-of-strides", (1, 2, 3), (2, 3, 3), (0,), (7,), stride=2**30),
    far("front-of-longest-strides", (1, 2, 3), (2, 3, 3), (0,), (7,), stride=MOST),
    far("taps-meet", (1, 2, 3), (2, 3, 3), (2**40 - 1,), (4,), stride=2**40, dilation=2**40),
    far("taps-miss", (1, 2, 3), (2, 3, 3), (2**40 - 1,), (6,), stride=2**40, dilation=2**40 + 1),
    far("nothing-before", (1, 2, 3), (2, 3, 3), (-MOST,), (5,)),
    far("nothing-near", (1, 2, 3), (2, 3, 3), (2**70,), (5,)),
    far("nothing-behind", (1, 2, 3), (2, 3, 3), (MOST,), (5,), stride=MOST),
]


@contextmanager
def within(seconds):
    """Interrupt what takes longer: a loop over the phases of such a stride has no end to wait for."""

    def late(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.value
@pytest.mark.parametrize("case", FAR, ids=str)
def test_far(plain, library, case):
    x, weight, bias = case.arrays()
    arrays = [plain.make(a) for a in (x, weight, bias)]
    expected = oracle.conv_transpose(x, weight, bias, *case.geometry)
    taken = upconv.explain(*arrays, **case.arguments).algorithm
    for algorithm in ("auto", *(name for name in library.algorithms if name != taken)):
        with within(20):
            try:
                y = upconv.conv_transpose(*arrays, **case.arguments, algorithm=algorithm)
            except ValueError as refusal:
                assert algorithm not in ("auto", "generic")
                assert "does not take" in str(refusal)  # noqa: PT017  a refusal is one of two right answers
                continue
            np.testing.assert_allclose(plain.back(y), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.value
@pytest.mark.parametrize("case", FAR, ids=str)
def test_far_and_back(plain, case):
    x, weight, bias = case.arrays()
    stride, dilation, groups, lo, out = case.geometry
    cotangent = np.random.default_rng(1).standard_normal((x.shape[0], weight.shape[1], *out))
    with within(20):
        _, pullback = upconv.vjp(*map(plain.make, (x, weight, bias)), **case.arguments)
        dx, dweight, _ = pullback(plain.make(cotangent))
    words = (stride, dilation, groups, lo)
    expected = oracle.conv(cotangent, weight, None, *words, x.shape[2:])
    np.testing.assert_allclose(plain.back(dx), expected, rtol=1e-12, atol=1e-12)
    expected = oracle.conv_weight(x, cotangent, weight.shape[2:], *words)
    np.testing.assert_allclose(plain.back(dweight), expected, rtol=1e-12, atol=1e-12)


def test_what_no_memory_holds(plain, library):
    """2**56 bytes are more than can be addressed, so that no allocation of them succeeds."""
    if library.name == "tensorflow":
        pytest.skip("TensorFlow itself waits for memory, ten seconds long, before its error")
    arrays = plain.make(np.ones((1, 1, 3))), plain.make(np.ones((1, 1, 2)))
    if library.name == "dask":
        # Lazy: nothing has asked for 32 GiB yet. Of more, Dask is long at listing its chunks.
        with within(20):
            assert upconv.conv_transpose1d(*arrays, stride=2**31).shape == (1, 1, 2**32 + 2)
        return
    for words in ({"stride": 2**52}, {"dilation": 2**53}, {"output_size": 2**53}):
        with within(20), pytest.raises((MemoryError, RuntimeError)):
            upconv.conv_transpose1d(*arrays, **words)


def test_a_sparse_matrix_that_no_memory_holds(plain, library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no sparse matrices here")
    pytest.importorskip("scipy")
    with within(20), pytest.raises(MemoryError):
        upconv.as_matrix(np.ones((1, 1, 2)), (1, 2**53))


def broadcast(library, a, shape):
    """An array of a shape that it does not hold: its strides are zero."""
    if library.name == "torch":
        import torch

        return torch.from_numpy(a).expand(shape)
    if library.name == "dask":
        import dask.array as da

        return da.broadcast_to(da.from_array(a), shape, chunks=shape)
    a = np.broadcast_to(a, shape)
    if library.name == "strict":
        import array_api_strict as xp

        return xp.asarray(a)
    return a if library.name == "numpy" else pytest.skip(f"{library.name} has no strides of zero")


@pytest.mark.value
def test_giant_axes_without_memory(plain, library):
    """Where samples are alike, the same samples far inside a short axis and inside an endless one."""
    rng = np.random.default_rng(0)
    one, weight = rng.standard_normal((1, 2, 1)), plain.make(rng.standard_normal((2, 3, 3)))
    x = broadcast(library, one, (1, 2, 2**40))
    expected = upconv.conv_transpose1d(plain.make(one.repeat(9, 2)), weight, stride=2, padding=((5, 0),), output_size=4)
    for algorithm in ("auto", *library.algorithms):
        words = {"stride": 2, "padding": ((2**40 + 1, 0),), "output_size": 4, "algorithm": algorithm}
        with within(20):
            try:
                y = upconv.conv_transpose1d(x, weight, **words)
            except ValueError as refusal:
                assert algorithm not in ("auto", "generic")
                assert "does not take" in str(refusal)  # noqa: PT017
                continue
            np.testing.assert_allclose(plain.back(y), plain.back(expected), rtol=1e-12)
    giant = broadcast(library, np.ones((2, 1, 1)), (2, 1, 2**40))
    text = "`weight` must have every kernel size at most 16777216, got 1099511627776 on axis 0"
    for verb in (upconv.conv_transpose, upconv.conv):
        with within(20), refused(ValueError, text):
            verb(plain.make(np.ones((1, 2, 1))), giant)
