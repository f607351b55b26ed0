"""NumPy's tiles, interrupted wherever they can be: the next call is right, and BLAS is as it was."""

import dis
import gc
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import upconv

WORDS = {"stride": (3, 2), "padding": ((1, 0), (2, 1))}


@pytest.fixture(autouse=True)
def threads(library, without_numba, monkeypatch):
    """The module of threads, which wakes a second one however little there is to do."""
    if library.name != "numpy":
        pytest.skip(f"{library.name} has threads of its own")
    from upconv._lower._numpy import _few, _operands, _schedule, _threads, sub_pixel

    monkeypatch.setattr(_operands, "THREADS", 0)
    monkeypatch.setattr(_few, "MOST", 0)
    monkeypatch.setattr(_schedule, "TILE_BYTES", 5000)
    monkeypatch.setattr(sub_pixel, "TILE_BYTES", 5000)
    _schedule.make_schedule.cache_clear()
    yield _threads
    _schedule.make_schedule.cache_clear()


def call(verb="overlap_add", seed=0):
    rng = np.random.default_rng(seed)
    x, weight, y = (rng.standard_normal(shape) for shape in ((2, 4, 9, 7), (4, 6, 5, 4), (2, 6, 28, 13)))
    if verb == "conv":
        return upconv.conv2d(y, weight, **WORDS)
    if verb == "conv_weight":
        return upconv.conv_weight(x, y, weight.shape[2:], **WORDS)
    return upconv.conv_transpose2d(x, weight, **WORDS, algorithm=verb)


VERBS = ("overlap_add", "sub_pixel", "conv", "conv_weight")


def at_instruction(n, is_watched, do, *called):
    """Call, and ``do`` something before the n-th instruction on this thread; return result and number of these.

    Python 3.12 and later may report only some instructions of the first call that is traced, or none, also after a
    trace that ended in the midst of a call. So a call goes before, in which nothing is done.
    """
    _traced(0, is_watched, do, *called)
    return _traced(n, is_watched, do, *called)


def _traced(n, is_watched, do, *called):
    count, result = 0, None

    def trace(frame, event, argument):
        nonlocal count
        if not is_watched(frame.f_code):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        # Between a `try` and the line before it nothing can interrupt.
        if event == "opcode" and frame.f_code.co_code[frame.f_lasti] != dis.opmap["NOP"]:
            count += 1
            if count == n:
                do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = call(*called)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return result, count


def interrupt(*_):
    raise KeyboardInterrupt


def test_at_any_instruction(threads, blas):
    def is_watched(code):
        return code.co_filename == threads.__file__ and code.co_name not in ("_run", "buffer")

    expected, come = call(), 0
    _, total = at_instruction(0, is_watched, interrupt)
    for n in range(1, total + 1):
        _, reached = at_instruction(n, is_watched, interrupt)
        come += reached == n
        assert blas.get_num_threads() == 2, n
        assert not threads._blas.turns, n
    assert come > 200  # the last few are not reached where the other thread is done sooner
    np.testing.assert_array_equal(call(), expected)


@pytest.mark.parametrize("verb", VERBS)
def test_at_any_time(verb, threads, blas):
    """By a timer, in whatever runs just then, from the first instruction to the last."""
    expected = [call(verb, seed) for seed in range(2)]
    begin = time.perf_counter()
    call(verb)
    took = time.perf_counter() - begin
    before, come = signal.signal(signal.SIGALRM, interrupt), 0
    gc.disable()  # what is raised in a callback of the collector, of which hypothesis has one, reaches nobody
    try:
        for n in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, max(1e-6, took * n / 50))
                for _ in range(2):
                    call(verb)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                come += 1
            assert blas.get_num_threads() == 2
            np.testing.assert_array_equal(call(verb, n % 2), expected[n % 2])
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert come


@pytest.mark.parametrize("verb", VERBS)
def test_by_a_call_of_the_same_kind(verb, threads, monkeypatch):
    """As a signal's handler may make, or what is thrown away: it has buffers of its own."""
    # The second thread leaves all tiles to this one, which then runs as many instructions at every call.
    monkeypatch.setattr(threads._Errand, "run", lambda errand: None)
    folder, expected = str(Path(threads.__file__).parent), call(verb)

    def is_watched(code):
        return code.co_filename.startswith(folder) and code.co_name in ("_stream", "_tile", "_columns", "_laid")

    def another():
        sys.settrace(None)
        call(verb, 1)

    _, total = at_instruction(0, is_watched, another, verb)
    assert total > 400
    for n in range(1, total, total // 40):
        found, reached = at_instruction(n, is_watched, another, verb)
        assert reached == n
        np.testing.assert_array_equal(found, expected)


def test_by_an_error_on_another_thread(threads, blas, monkeypatch):
    """It reaches the caller, when all threads have ended."""
    from threading import main_thread

    from upconv._lower._numpy import _window

    right, ended = _window._stream, []

    def fails(*of):
        if threads_name() != main_thread().name:
            raise MemoryError("of another thread")
        time.sleep(0.01)
        right(*of)
        ended.append(1)

    expected = call()
    with monkeypatch.context() as patch:
        patch.setattr(_window, "_stream", fails)
        with pytest.raises(MemoryError, match="of another thread"):
            call()
    assert ended
    assert blas.get_num_threads() == 2
    np.testing.assert_array_equal(call(), expected)


def threads_name():
    from threading import current_thread

    return current_thread().name


def test_what_the_caller_says_of_overflows_holds_on_every_thread(threads, blas, monkeypatch):
    from upconv._lower._numpy import _window

    said, right = [], _window._stream
    monkeypatch.setattr(
        _window, "_stream", lambda *of: said.append((threads_name(), np.geterr()["over"])) or right(*of)
    )
    with np.errstate(over="raise"):
        for _ in range(50):
            call()
            if len({name for name, _ in said}) > 1:
                break
    assert len({name for name, _ in said}) > 1
    assert {over for _, over in said} == {"raise"}
