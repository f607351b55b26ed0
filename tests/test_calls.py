"""What is remembered of one call is not taken for another: each word and each array tells two calls apart."""

import numpy as np
import pytest

import upconv
from refusals import refused
from upconv import _calls, _plans

pytestmark = pytest.mark.value

# One word changed at a time. Channels, and all sizes, are four: no shape tells which layout is meant.
CONV = [
    {},
    {"stride": 2},
    {"stride": (1, 2)},
    {"padding": 1},
    {"padding": ((1, 0), (0, 1))},
    {"padding": "same", "stride": 2},
    {"dilation": 2},
    {"dilation": (1, 2)},
    {"data_format": "channels_last"},
    {"groups": 2},
]
CONV_TRANSPOSE = [*CONV, {"stride": 2, "output_padding": (0, 1)}, {"output_size": (5, 6)}, {"algorithm": "generic"}]


@pytest.fixture(autouse=True)
def whose_calls_are_remembered(library):
    if library.name not in ("numpy", "torch"):
        pytest.skip(f"calls of {library.name} are not looked up whole, and plans are every library's")


@pytest.fixture
def square(plain):
    rng = np.random.default_rng(3)
    return {c: plain.make(rng.standard_normal((2, 4, 4, 4))) for c in "xy"} | {
        c: plain.make(rng.standard_normal(shape)) for c, shape in (("all", (4, 4, 2, 2)), ("halved", (4, 2, 2, 2)))
    }


@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
def test_each_word_tells_calls_apart(plain, square, verb, monkeypatch):
    def call(words):
        if verb == "conv_weight":
            return plain.back(upconv.conv_weight(square["x"], square["y"], (2, 2), **words))
        weight = square["halved" if "groups" in words else "all"]
        return plain.back(getattr(upconv, verb)(square["x"], weight, **words))

    def alone(words):
        with monkeypatch.context() as patch:
            patch.setattr(_plans, "_PLANS", {})
            patch.setattr(_calls, "_CALLS", {})
            return call(words)

    some = CONV_TRANSPOSE if verb == "conv_transpose" else CONV
    expected = list(map(alone, some))
    for _ in range(2):
        for words, right in zip(some, expected, strict=True):
            np.testing.assert_array_equal(call(words), right, err_msg=str(words))


def test_what_is_wrong_is_refused_after_a_call_like_it(plain, square):
    x, weight = square["x"], square["all"]
    narrow, bias, one = (
        plain.make(np.ones(n, t)) for n, t in (((4, 4, 2, 2), "float32"), (4, "float64"), (1, "float64"))
    )
    for _ in range(2):
        upconv.conv_transpose(x, weight)
        upconv.conv_transpose(x, weight, bias)
        upconv.conv(x, weight, bias)
        for call in (upconv.conv_transpose, upconv.conv):
            with refused(ValueError, r"`bias` must have shape \(4,\)"):
                call(x, weight, one)
            with refused(TypeError, "`x` has dtype float64 and `weight` has float32"):
                call(x, narrow)
            for stride in (1.0, True, (1, True), (1.0, 1)):
                with refused(TypeError, "`stride` must be an int or a tuple of ints"):
                    call(x, weight, stride=stride)
        with refused(ValueError, "`weight` must have 3 axes"):
            upconv.conv_transpose1d(x, weight)
        with refused(ValueError, "`weight` must have 3 axes"):
            upconv.conv1d(x, weight)
