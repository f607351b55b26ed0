"""Memories bounded by bytes: the one that everything is kept in, and what NumPy keeps of many geometries."""

import gc
import threading
import tracemalloc

import numpy as np
import pytest

import upconv
from upconv._memory import Memory, remembered, size_of

pytestmark = pytest.mark.usefixtures("once")


def test_sizes():
    assert size_of(np.zeros(1000)) > 8000
    assert size_of(np.zeros(1000)[::2]) >= 4000  # a view, which keeps memory that it does not own
    assert 8 * 10**5 < size_of(tuple(range(10**5))) < 8 * 10**6
    shared = (0,) * 10**4
    assert size_of((shared, shared)) < 1.1 * size_of((shared,))
    assert size_of([slice(10**20, None, (1,) * 100)]) > 800


def test_a_memory_forgets_all_rather_than_exceed_its_bytes():
    memory = Memory(10_000)
    for n in range(100):
        memory[n] = np.zeros(100)
        assert memory[n].size == 100
        assert sum(size_of(item) for item in memory.items()) <= 10_000
        assert sum(memory.sizes.values()) <= 10_000
    assert 1 <= len(memory) <= 12
    memory[0] = np.zeros(10**5)
    assert memory.get(0) is None or memory[0].size == 100
    assert memory
    memory.clear()
    assert not memory
    assert not memory.sizes


def test_keys_count_too():
    memory = Memory(10_000)
    for n in range(100):
        memory[n, (0,) * 500] = None
    assert len(memory) <= 3


def test_what_is_remembered_is_made_once():
    made = []

    @remembered(10_000)
    def zeros(n):
        """Zeros."""
        made.append(n)
        return np.zeros(n)

    assert zeros(10) is zeros(10)
    assert zeros(10**4).size == zeros(10**4).size == 10**4
    assert made == [10, 10**4, 10**4]
    assert zeros.__doc__ == "Zeros."
    zeros.cache_clear()
    zeros(10)
    assert made[3:] == [10]


def test_threads_exceed_it_no_more_than_one_does():
    memory, stop = Memory(50_000), 2000

    def fill(start):
        for n in range(stop):
            memory[start + n % 37] = np.zeros(n % 300)

    threads = [threading.Thread(target=fill, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each may add one entry after the same look at the sizes.
    assert sum(map(size_of, memory.items())) <= 50_000 + 8 * 3000


def called(algorithm, x, kernel, **words):
    """Call on an image of some size."""
    if algorithm == "direct":
        pytest.importorskip("numba", reason="Numba is not installed")
    x, weight = np.ones((1, 1, *x), "float32"), np.ones((1, 1, *kernel), "float32")
    return upconv.conv_transpose(x, weight, algorithm=algorithm, **words)


def classified(x, kernel, **words):
    from upconv._dispatch import plan_for
    from upconv._lower._numpy._phases import classes

    words = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1} | words
    plan, _ = plan_for(2, (1, 1, *x), (1, 1, *kernel), None, *words.values(), None, "channels_first")
    assert len(classes(plan)) > 10_000


LARGE = {
    "programs": lambda n: called("direct", (600 + n, 4), (40, 40), stride=40),
    "schedules": lambda n: called("overlap_add", (3, 3 + n), (1000, 9), stride=(900, 7)),
    "classes": lambda n: classified((3, 3 + n), (501, 200), stride=(451, 200), dilation=(5, 7)),
}


@pytest.mark.parametrize("kind", LARGE)
def test_many_large_geometries_are_not_all_kept(kind):
    call = LARGE[kind]
    call(0)
    tracemalloc.start()
    try:
        for n in range(1, 12):
            call(n)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 40 << 20


@pytest.mark.value
def test_a_geometry_larger_than_the_memory_is_computed():
    pytest.importorskip("numba", reason="Numba is not installed")
    from upconv._lower._numpy._program import program_of

    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((1, 1, 1024, 4)), rng.standard_normal((1, 1, 64, 64))
    program_of.cache_clear()
    expected = upconv.conv_transpose(x, weight, stride=64, algorithm="overlap_add")
    for _ in range(2):
        found = upconv.conv_transpose(x, weight, stride=64, algorithm="direct")
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert sum(program_of.memory.sizes.values()) <= program_of.memory.most
    assert upconv.explain(x, weight, stride=64, algorithm="direct").workspace > 8 * 64 * 64 * 1024
