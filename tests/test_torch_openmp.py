"""Tasks on PyTorch's own threads: none are added, no error is lost, and no interrupt leaves half of a result."""

import dis
import linecache
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from threading import get_ident

import pytest

import upconv

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture
def team(torch):
    """The module, where PyTorch has such threads."""
    from upconv._lower._torch import _openmp

    if not _openmp.is_here():
        pytest.skip("this PyTorch is built without OpenMP, or with one that has another interface")
    return _openmp


@pytest.fixture
def layer(torch):
    """A call for both threads, and its result."""
    pytest.importorskip("numba", reason="Numba is not installed")
    generator = torch.Generator().manual_seed(3)
    x, weight = (torch.randn(shape, generator=generator) for shape in ((2, 32, 40, 33), (32, 24, 3, 5)))
    words = {"stride": (2, 3), "padding": ((1, 0), (2, 1))}
    expected = upconv.conv_transpose(x, weight, **words, algorithm="native")
    return partial(upconv.conv_transpose, x, weight, **words, algorithm="direct"), expected


def test_both_threads_of_the_team_take_tasks_and_no_thread_is_added(team, torch):
    torch.ones(1000, 1000).relu()
    seen, before = set(), len(list(Path("/proc/self/task").glob("*")))
    for _ in range(100):
        team.side_by_side([lambda: seen.add(get_ident()) or time.sleep(0.001)] * 4, 2)
        if len(seen) > 1:
            break
    assert get_ident() in seen
    assert len(seen) == 2
    assert len(list(Path("/proc/self/task").glob("*"))) == before


@pytest.mark.parametrize("threads", [1, 2])
def test_each_task_runs_once(team, threads):
    for n in (0, 1, 2, 7):
        found = []
        team.side_by_side([partial(found.append, k) for k in range(n)], threads)
        assert sorted(found) == list(range(n))


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_ends_the_tasks_and_reaches_the_caller(team, threads):
    done = []

    def fails():
        raise MemoryError("of a task")

    for n in range(4):
        tasks = [lambda: time.sleep(0.001) or done.append(1)] * 50
        tasks[n] = fails
        with pytest.raises(MemoryError, match="of a task"):
            team.side_by_side(tasks, threads)
    assert len(done) < 4 * 49


# Where Python has just been entered from C, ctypes says that it drops an error, and the caller raises another.
dropped = pytest.mark.filterwarnings("ignore:.*ctypes callback:pytest.PytestUnraisableExceptionWarning")


@dropped
def test_an_interrupt_at_any_instruction_leaves_nothing_undone(team):
    """Even where C stands between it and the caller; only when all is done, one may be dropped on the way back to C."""
    tasks, found, count, line = 5, [], 0, ""

    def trace(frame, event, argument):
        nonlocal count, line
        if frame.f_code.co_filename != team.__file__:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode" and frame.f_code.co_code[frame.f_lasti] != dis.opmap["NOP"]:
            count += 1
            if count == at:
                line = linecache.getline(team.__file__, frame.f_lineno).strip()
                raise KeyboardInterrupt
        return trace

    raised, at, before = 0, 0, sys.gettrace()
    # The first call that is traced may report no instructions; and how many this thread has depends on the other.
    for at in range(160):
        found.clear()
        count = 0
        sys.settrace(trace)
        try:
            team.side_by_side([partial(found.append, k) for k in range(tasks)], 2)
        except KeyboardInterrupt:
            raised += 1
        else:
            assert sorted(found) == list(range(tasks)), at
            assert count < at or not at or line == "ended.append(get_ident())", (at, line)
        finally:
            sys.settrace(before)
    assert raised > 50


@dropped
def test_an_interrupt_on_the_way_in_is_raised(team):
    """There C gets it, and drops it, whatever the other thread has done meanwhile."""

    def trace(frame, event, argument):
        if event == "call" and frame.f_code.co_filename == team.__file__ and frame.f_code.co_name == "work":
            raise KeyboardInterrupt

    found, before = [], sys.gettrace()
    for _ in range(5):
        sys.settrace(trace)
        try:
            with pytest.raises(KeyboardInterrupt):
                team.side_by_side([partial(found.append, k) for k in range(5)], 2)
        finally:
            sys.settrace(before)


@dropped
def test_an_interrupt_at_any_time_leaves_the_next_call_right(team, layer, torch):
    call, expected = layer
    call()
    begin = time.perf_counter()
    call()
    took, come = time.perf_counter() - begin, 0

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for n in range(40):
            try:
                signal.setitimer(signal.ITIMER_REAL, max(1e-6, took * n / 30))
                y = call()
                signal.setitimer(signal.ITIMER_REAL, 0)
                torch.testing.assert_close(y, expected)
            except KeyboardInterrupt:
                come += 1
            torch.testing.assert_close(call(), expected)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert come


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-?threaded")
def test_a_forked_process_computes(team, layer):
    """It has none of the team's threads: OpenMP would wait for them without end."""
    call, expected = layer
    call()
    child = os.fork()
    if not child:
        signal.alarm(60)
        os._exit(0 if not team.is_here() and abs(call().numpy() - expected.numpy()).max() < 1e-3 else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0


def test_without_openmp(team, layer, torch, monkeypatch):
    call, expected = layer
    monkeypatch.setattr(team, "_parallel", None)
    torch.testing.assert_close(call(), expected)
    words = call.keywords | {"algorithm": "auto"}
    found = upconv.explain(*call.args, **words)
    assert found.algorithm == "native"
    assert "direct is slower without PyTorch's OpenMP" in found.reason


def test_on_more_threads_than_it_takes(team, layer, torch):
    call, _ = layer
    words = call.keywords | {"algorithm": "auto"}
    assert upconv.explain(*call.args, **words).algorithm == "direct"
    torch.set_num_threads(5)
    found = upconv.explain(*call.args, **words)
    assert found.algorithm == "native"
    assert "direct is slower on 5 threads, because it takes 4 at most" in found.reason
