"""NumPy's tiles on threads: the setting of BLAS is put back, and nothing depends on who else is computing."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

import upconv

pytestmark = pytest.mark.usefixtures("without_numba")  # whose loops need no BLAS


@pytest.fixture(autouse=True)
def numpy_alone(library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has threads of its own")


def arrays(seed=0, dtype="float32"):
    """Four million products at least, which is where threads are woken."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((3, 20, 23, 31)).astype(dtype), rng.standard_normal((20, 10, 5, 4)).astype(dtype)


def calls(x, weight, algorithm="auto"):
    y = upconv.conv_transpose2d(x, weight, stride=(3, 2), padding=((1, 0), (2, 1)), algorithm=algorithm)
    words = {"stride": (3, 2), "padding": ((1, 0), (2, 1))}
    return y, upconv.conv2d(y, weight, **words), upconv.conv_weight(x, y, weight.shape[2:], **words)


def test_blas_is_told_to_take_one_thread_and_then_as_many_as_before(blas, monkeypatch):
    from upconv._lower._numpy import _window

    seen = []
    right = _window._stream
    monkeypatch.setattr(_window, "_stream", lambda *of: seen.append(blas.get_num_threads()) or right(*of))
    calls(*arrays())
    assert len(seen) > 1
    assert set(seen) == {1}
    assert blas.get_num_threads() == 2


def test_it_is_put_back_after_an_error(blas, monkeypatch):
    from upconv._lower._numpy import _window

    def fails(*of):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_window, "_stream", fails)
        with pytest.raises(KeyboardInterrupt):
            calls(*arrays())
    assert blas.get_num_threads() == 2
    calls(*arrays())


def test_a_limit_that_is_set_holds(blas, monkeypatch):
    from threadpoolctl import threadpool_limits

    from upconv._lower._numpy import _threads

    monkeypatch.setattr(_threads, "_ask", None)
    with threadpool_limits(1, user_api="blas"):  # SciPy's too, which Numba loads
        calls(*arrays())  # no pool is asked for
    with pytest.raises(TypeError):
        calls(*arrays())


def test_without_threadpoolctl_tiles_take_turns(monkeypatch):
    from upconv._lower._numpy import _threads

    expected = calls(*arrays())
    monkeypatch.setattr(_threads, "_blas", _threads._Blas())
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr(_threads, "_ask", None)
    for one, other in zip(calls(*arrays()), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("algorithm", ["overlap_add", "sub_pixel"])
def test_the_same_call_gives_the_same_bits(algorithm):
    first = calls(*arrays(), algorithm=algorithm)
    for _ in range(3):
        for one, other in zip(calls(*arrays(), algorithm=algorithm), first, strict=True):
            np.testing.assert_array_equal(one, other)


def test_eight_threads_at_a_time():
    work = list(product(range(4), ("float32", "float64"), ("overlap_add", "sub_pixel")))

    def compute(item):
        seed, dtype, algorithm = item
        return calls(*arrays(seed, dtype), algorithm)

    expected = list(map(compute, work))
    with ThreadPoolExecutor(8) as pool:
        for found, right in zip(pool.map(compute, work * 3), expected * 3, strict=True):
            for one, other in zip(found, right, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2)  # BLAS adds in another order


def test_eight_threads_leave_blas_as_it_was(blas):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: calls(*arrays(seed)), range(24)))
    assert blas.get_num_threads() == 2
    calls(*arrays())
    assert blas.get_num_threads() == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_computes():
    expected = calls(*arrays())[0]  # and wakes threads, which a fork leaves behind
    child = os.fork()
    if not child:
        found = calls(*arrays())[0]
        os._exit(0 if np.array_equal(found, expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_inputs_are_not_changed_and_results_are_not_shared():
    x, weight = arrays()
    before = x.copy(), weight.copy()
    y, *_ = calls(x, weight)
    kept = y.copy()
    calls(x + 1, weight)
    np.testing.assert_array_equal(y, kept)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weight, before[1])


@pytest.mark.parametrize(
    ("x", "weight", "words", "algorithm"),
    [
        ((4, 32, 28, 28), (32, 32, 4, 4), {"stride": 2}, "sub_pixel"),
        ((1, 64, 96, 96), (64, 64, 3, 3), {"dilation": 2}, "sub_pixel"),
        ((1, 64, 64, 64), (64, 32, 2, 2), {"stride": 2}, "overlap_add"),  # no two taps meet
        ((1, 64, 64, 64), (64, 32, 3, 3), {"stride": 2}, "overlap_add"),  # unequal phases
        ((1, 64, 64, 64), (64, 3, 4, 4), {"stride": 2}, "overlap_add"),  # few output channels
        ((1, 64, 4, 4), (64, 64, 4, 4), {"stride": 2}, "overlap_add"),  # a small image
    ],
)
def test_what_auto_takes(x, weight, words, algorithm):
    explained = upconv.explain(np.ones(x, "float32"), np.ones(weight, "float32"), **words)
    assert explained.algorithm == algorithm
