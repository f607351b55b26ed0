"""NumPy's FFTs: many blocks, their memory, the bound of their error, and that nobody gets them unasked."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings

import upconv
from cases import CASES, Case
from oracle import full
from refusals import refused
from strategies import cases
from test_values import check, run


@pytest.fixture(autouse=True)
def numpy_alone(library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no FFTs here")


@pytest.fixture(params=[(1, 1), (64, 1), (600, 12)])
def small_blocks(monkeypatch, request):
    """So small that there are several, of phases and of channels too; and with each of the two products."""
    from upconv._lower._numpy import fft

    monkeypatch.setattr(fft, "LEAST", 1)
    monkeypatch.setattr(fft, "TILE_BYTES", request.param[0])
    monkeypatch.setattr(fft, "MANY", request.param[1])
    fft._blocks.cache_clear()
    yield fft
    fft._blocks.cache_clear()


def line(stride, dilation=1, groups=1, lo=0, hi=0, size=43, kernel=7):
    """A case of one axis."""
    (n,) = full((size,), (kernel,), (stride,), (dilation,))
    words = {"stride": stride, "dilation": dilation, "groups": groups, "padding": ((lo, hi),)}
    x, weight = (3, 2 * groups, size), (2 * groups, 3, kernel)
    return Case(f"{stride}-{dilation}-{groups}-{lo}-{hi}", x, weight, (lo,), (n - lo - hi,), words)


LINES = [
    *(line(stride, lo=2, hi=stride - 3) for stride in range(1, 6)),
    line(1, dilation=3, lo=-4, hi=5),
    line(4, dilation=6, groups=2, lo=3, hi=-2),
    line(3, dilation=2, groups=3, lo=-1, hi=-7),
    line(5, kernel=2, lo=60, hi=71),
    line(2, size=3, kernel=50, lo=11, hi=8),
]


# Half of this test's time would be that layer: four groups, which `groups` has too, and 128 output channels.
MANY = [*LINES, *(case for case in CASES if case.name != "grouped-4")]


@pytest.mark.value
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("case", MANY, ids=str)
def test_many_blocks_give_the_values(small_blocks, plain, case, dtype):
    for data_format in ("channels_first", "channels_last"):
        check(run(plain, case, "fft", dtype, data_format), case, dtype, algorithm="fft")


@pytest.mark.value
@settings(max_examples=60)
@given(case=cases(max_kernel=6, max_rank=2))
def test_anything_legal_in_many_blocks(small_blocks, plain, case):
    check(run(plain, case, "fft"), case, algorithm="fft")


@pytest.mark.parametrize("case", LINES[:2], ids=str)
def test_there_are_many_blocks(small_blocks, plain, case, monkeypatch):
    blocks, fill = [], small_blocks._fill
    monkeypatch.setattr(small_blocks, "_fill", lambda *given: blocks.append(given[-1]) or fill(*given))
    run(plain, case, "fft")
    assert len(set(blocks)) > 1


@pytest.mark.value
def test_float32_is_rounded_once(plain):
    """Of 700 and twenty thousand samples: single precision would err by more than a rounding."""
    rng = np.random.default_rng(3)
    x, weight = (rng.standard_normal(shape).astype("float32") for shape in ((1, 2, 20_003), (2, 1, 700)))
    y = upconv.conv_transpose1d(x, weight, stride=2, algorithm="fft")
    exact = upconv.conv_transpose1d(x.astype("float64"), weight.astype("float64"), stride=2, algorithm="overlap_add")
    assert (np.abs(y - exact) <= 2.0**-24 * np.abs(exact) + 1e-11).all()


@pytest.mark.parametrize(
    "x, weight, stride",
    [((1, 1, 600_000), (1, 1, 9000), 1), ((3, 20, 50_000), (20, 5, 300), 7), ((2, 3, 700, 500), (3, 4, 30, 20), 2)],
)
def test_workspace_is_bounded(x, weight, stride):
    x, weight = np.ones(x, "float32"), np.ones(weight, "float32")
    upconv.conv_transpose(x[..., :9], weight, stride=stride, algorithm="fft")
    told = upconv.explain(x, weight, stride=stride, algorithm="fft").workspace
    tracemalloc.start()
    y = upconv.conv_transpose(x, weight, stride=stride, algorithm="fft")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - y.nbytes < told < 32 << 20


@pytest.mark.usefixtures("without_numba")
def test_auto_never_takes_it(monkeypatch):
    from upconv import _calls
    from upconv._libraries import lowerings

    x, weight = np.ones((1, 1, 50_000)), np.ones((1, 1, 9000))
    assert upconv.explain(x, weight).algorithm == "overlap_add"
    told = "its error is relative to the largest sample, and one inf or NaN fills its block"
    assert told in upconv.explain(x, weight, algorithm="fft").reason
    monkeypatch.setattr(_calls, "_CALLS", {})
    monkeypatch.setattr(lowerings("numpy")["overlap_add"], "refusal", lambda plan, x: "anything")
    found = upconv.explain(x, weight)
    assert found.algorithm == "generic"
    assert "fft is slower where" in found.reason
    assert told in found.reason


def test_what_it_does_not_take():
    words = {"algorithm": "fft"}
    for dtype in ("int32", "uint8"):
        x = np.ones((1, 1, 5), dtype)
        with refused(ValueError, "`algorithm` 'fft': fft does not take integers: they must be exact"):
            upconv.conv_transpose1d(x, x, **words)
    x = np.ones((1, 1, 5), "longdouble")
    if x.dtype.itemsize > 8:
        with refused(ValueError, "fft does not take long doubles: it computes in double precision"):
            upconv.conv_transpose1d(x, x, **words)
    x = np.ones((1, 1, 5))
    with refused(ValueError, "fft does not take conv: it computes transposed convolutions alone"):
        upconv.conv1d(x, x, **words)


def test_what_is_not_finite_fills_its_block_alone():
    x, weight = np.ones((1, 1, 40_000)), np.ones((1, 1, 100))
    x[0, 0, 7] = np.inf
    with np.errstate(invalid="ignore"):  # inf - inf: NumPy's own warning
        y = upconv.conv_transpose1d(x, weight, algorithm="fft")
    assert not np.isfinite(y[0, 0, 7:107]).any()
    assert np.isfinite(y[0, 0, 20_000:]).all()
