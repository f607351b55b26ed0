"""NumPy's compiled loops for few numbers: where they are taken, and what a machine word cannot hold."""

import subprocess
import sys

import numpy as np
import pytest

import upconv
from refusals import refused


@pytest.fixture(autouse=True)
def compiled(library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no loops of its own")
    pytest.importorskip("numba", reason="Numba is not installed")


@pytest.fixture
def calls(monkeypatch):
    """The lowerings that run, in turn."""
    from upconv._lower._numpy import loops

    seen = []
    for verb in ("conv_transpose", "conv", "conv_weight"):
        right = getattr(loops, verb)
        monkeypatch.setattr(loops, verb, lambda *of, verb=verb, right=right: seen.append(verb) or right(*of))
    monkeypatch.setattr("upconv._calls._CALLS", {})
    return seen


@pytest.mark.value
@pytest.mark.parametrize("batched", [True, False])
def test_few_numbers_go_through_loops_in_each_verb(calls, batched):
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal((2, 4, 3, 5)), rng.standard_normal((4, 3, 2, 3))
    x = x if batched else x[0]
    words = {"stride": (1, 2), "padding": ((0, 1), (1, 0))}
    y = upconv.conv_transpose(x, weight, **words)
    back = upconv.conv(y, weight, **words)
    both = upconv.conv_weight(x, y, (2, 3), **words)
    assert calls == ["conv_transpose", "conv", "conv_weight"]
    generic = words | {"algorithm": "generic"}
    np.testing.assert_allclose(y, upconv.conv_transpose(x, weight, **generic))
    np.testing.assert_allclose(back, upconv.conv(y, weight, **generic))
    np.testing.assert_allclose(both, upconv.conv_weight(x, y, (2, 3), **generic))


def test_many_numbers_do_not(calls):
    x, weight = np.ones((1, 16, 12, 11)), np.ones((16, 8, 3, 3))
    upconv.conv_transpose(x, weight)
    upconv.conv(np.ones((1, 8, 14, 13)), weight)
    upconv.conv_weight(x, np.ones((1, 8, 14, 13)), (3, 3))
    assert not calls


@pytest.mark.value
def test_a_sample_far_away_is_neither_laid_out_nor_missed():
    x, weight = np.asarray([[1.0, 2.0]]), np.asarray([[[3.0, 5.0]]])
    words = {"stride": 2**29, "dilation": 2**30, "padding": ((2**30 - 1, 0),), "output_size": 3}
    y = upconv.conv_transpose(x, weight, algorithm="loops", **words)
    np.testing.assert_array_equal(y, [[0, 5, 0]])


def test_numbers_that_a_word_does_not_hold_are_refused():
    with refused(ValueError, "loops does not take numbers beyond 32 bits: its sums of their products have 64"):
        upconv.conv_transpose(np.ones((1, 1)), np.ones((1, 1, 1)), stride=2**31, algorithm="loops")


NOWHERE = """
import numba.core.caching as caching
for found in vars(caching).values():
    if hasattr(found, "_locator_classes"):
        found._locator_classes = []
import numpy, upconv
x, weight = numpy.arange(6.0).reshape(1, 2, 3), numpy.ones((1, 1, 2, 2))
print(upconv.conv_transpose(x, weight, stride=2, algorithm="loops").sum())
"""


def test_where_nothing_can_be_written_each_process_compiles():
    run = subprocess.run([sys.executable, "-c", NOWHERE], check=True, capture_output=True, text=True, timeout=300)
    assert run.stdout == "60.0\n"
