"""Many threads, other processes, many geometries, the same call again: nothing is lost and nothing grows."""

import ast
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import upconv
from test_adjoint import words
from test_values import FEW
from upconv import _calls, _libraries, _plans

MIXED = [case for case in FEW if case.name in ("stride", "pairs", "groups", "1d")]


def compute(plain, case, algorithm="auto"):
    """The three verbs, as NumPy's arrays."""
    x, weight, bias = case.arrays("float32")
    y = np.random.default_rng(2).standard_normal((case.x[0], case.weight[1] * case.groups, *case.out)).astype("float32")
    x, weight, bias, y = (None if a is None else plain.make(a) for a in (x, weight, bias, y))
    said = words(case) | {"algorithm": algorithm}
    calls = (
        lambda: upconv.conv_transpose(x, weight, bias, **said),
        lambda: upconv.conv(y, weight, **said),
        lambda: upconv.conv_weight(x, y, case.weight[2:], **said),
    )
    found = []
    for function in calls:
        try:
            with np.errstate(all="ignore"):
                found.append(plain.back(function()))
        except ValueError as error:
            if "does not take" not in str(error):
                raise
    return found


@pytest.mark.value
def test_eight_threads_share_what_is_remembered(plain, library, monkeypatch):
    """Geometries of many kinds at a time, in memories that are emptied all the while."""
    if library.name == "cupy":
        from cuda_on_cpu import standin

        if not standin.has_device():
            pytest.skip("without a GPU the kernel runs in fibers of one thread")
    expected, times = [compute(plain, case) for case in MIXED], 8 if library.name == "dask" else 24  # a graph for each
    monkeypatch.setattr(_libraries, "KEPT", 3)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda n: compute(plain, MIXED[n % len(MIXED)]), range(times)))
    finally:
        sys.setswitchinterval(interval)
    for n, found in enumerate(results):
        for one, other in zip(found, expected[n % len(MIXED)], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.value
@pytest.mark.parametrize("case", MIXED, ids=str)
def test_the_same_call_gives_the_same_bits(case, plain, library, algorithm):
    if library.name == "dask" and case is not MIXED[0]:
        pytest.skip("each call is a new graph, and NumPy computes it")
    first, again = compute(plain, case, algorithm), compute(plain, case, algorithm)
    for one, other in zip(first, again, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_spawned_process_computes(plain, library):
    if library.name in ("tensorflow", "mxnet", "cupy"):
        pytest.skip(f"{library.name}'s arrays cannot be sent to another process")
    x, weight, _ = MIXED[0].arrays("float32")
    made = plain.make(x), plain.make(weight)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found = pool.submit(upconv.conv_transpose, *made, stride=2).result(timeout=100)
    expected = plain.back(upconv.conv_transpose(*made, stride=2))
    np.testing.assert_allclose(plain.back(found), expected, rtol=1e-5, atol=1e-5)


FORKS = """
import os, signal, sys, threading, time
import numpy as np, upconv
from upconv._lower._numpy import _operands, _threads

_operands.THREADS = 0
rng = np.random.default_rng(0)
x, weight = rng.standard_normal((2, 8, 40, 30)), rng.standard_normal((8, 6, 5, 4))
expected = upconv.conv_transpose(x, weight, stride=(3, 2), algorithm="generic")

def right():
    return np.allclose(upconv.conv_transpose(x, weight, stride=(3, 2), algorithm="overlap_add"), expected)

def compute():
    while True:
        right()

signal.alarm(60)  # a hang is a failure
thread = threading.Thread(target=compute, daemon=True)
thread.start()
for _ in range(10):
    time.sleep(0.02)
    child = os.fork()
    if not child:
        signal.alarm(20)
        good = all(right() for _ in range(3)) and not _threads._blas.turns
        awake = _threads.cores() == 1 or all(helper.is_alive() for helper in _threads._helpers or [thread])
        sys.exit(0 if good and awake else 1)
    assert not os.waitpid(child, 0)[1]
assert thread.is_alive()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_while_a_thread_computes(library):
    """Whatever that thread held when it was left behind; and the child waits for none in the end."""
    if library.name != "numpy":
        pytest.skip(f"a fork of a process with {library.name}'s own threads is {library.name}'s affair")
    # Without it, NumPy's products take several cores each.
    pytest.importorskip("threadpoolctl", reason="OpenBLAS itself hangs in a fork while it runs on several cores")
    # In a process whose main thread has not computed, which threadpoolctl would take orders from alone: BLAS on several
    # cores would then run while the process forks, at which OpenBLAS itself hangs.
    # It may hang too where a fork comes while its number of threads is being set, in some runs: one of three is whole.
    runs = (subprocess.run([sys.executable, "-c", FORKS], check=False, timeout=100) for _ in range(3))
    assert any(run.returncode == 0 for run in runs)


def test_every_memory_of_the_package_has_a_bound():
    """Those of functools say theirs; dictionaries at the top of a module are these, which `remember` alone fills.

    Calls and plans are bounded by bytes as well.
    """
    found, by_bytes = set(), set()
    for path in Path(upconv.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("lru_cache", "functools.lru_cache"):
                (bound,) = (word.value.value for word in node.keywords if word.arg == "maxsize")
                assert 0 < bound <= 4096, path
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            assert "cache" not in names, path  # which has none
        for node in tree.body:
            empty = isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value and ast.unparse(node.value)
            if empty in ("{}", "[]", "set()", "dict()", "list()"):
                found.add(ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]))
            if empty and empty.startswith("Memory("):
                by_bytes.add(ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]))
    # _LOWERINGS has one entry for each library, _helpers one for each thread beside the caller's.
    assert found == {"_OWNERS", "_DTYPE_NAMES", "_LOWERINGS", "_helpers"}
    assert by_bytes == {"_PLANS", "_CALLS"}


def test_many_geometries_take_no_more_memory_than_few(library, plain, monkeypatch):
    if library.name not in ("numpy", "torch", "strict"):
        pytest.skip(f"{library.name} compiles each geometry, or makes a graph of it, and keeps that on its own account")
    monkeypatch.setattr(_libraries, "KEPT", 100)
    weight, taken = plain.make(np.ones((1, 1, 2), "float32")), []
    for n in range(4, 130):
        upconv.conv_transpose1d(plain.make(np.ones((1, 1, 3), "float32")), weight, output_size=n)
    assert len(_calls._CALLS) <= 100
    tracemalloc.start()
    for n in range(4000):
        upconv.output_shape((1, 1, n), (1, 1, 3))
        if n % 1000 == 999:
            taken.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert len(_plans._PLANS) <= 100
    assert taken[-1] < taken[0] + 100_000, taken


def test_classes_and_dtypes_without_end(library, monkeypatch):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no dtypes to make, and its arrays no subclasses that NumPy's do not stand for")
    monkeypatch.setattr(_libraries, "KEPT", 10)
    for n in range(1, 50):
        x = np.ones((1, 1, 3)).view(type("Mine", (np.ndarray,), {}))
        assert upconv.conv_transpose1d(x, np.ones((1, 1, 2))).shape == (1, 1, 4)
        with pytest.raises(TypeError, match="`x` has dtype"):
            upconv.conv_transpose1d(np.zeros((1, 1, 3), f"S{n}"), np.zeros((1, 1, 2), f"S{n}"))
    assert len(_libraries._OWNERS) <= 10
    assert len(_libraries._DTYPE_NAMES) <= 10
