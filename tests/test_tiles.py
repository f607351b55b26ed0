"""NumPy's lowering in tiles gives what it gives whole: the window hands its overlap on, whatever the tile."""

import numpy as np
import pytest
from hypothesis import given

import test_adjoint
from cases import CASES
from strategies import cases
from test_values import check, run

pytestmark = pytest.mark.value


@pytest.fixture(params=[1, 600, 5000, 2**20], ids="{}-bytes".format)
def small_tiles(request, library, monkeypatch):
    """Tiles of a size, on threads however little there is to do, and no table in their place."""
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no lowering in tiles")
    from upconv._lower._numpy import _columns, _few, _operands, _schedule, sub_pixel

    monkeypatch.setattr(_schedule, "TILE_BYTES", request.param)
    monkeypatch.setattr(sub_pixel, "TILE_BYTES", request.param)
    monkeypatch.setattr(_few, "MOST", 0)
    monkeypatch.setattr(_operands, "THREADS", 0)
    monkeypatch.setattr(_schedule, "LONGEST_ROW", 4 * request.param)
    monkeypatch.setattr(_columns, "LONGEST_ROW", 4 * request.param)
    _schedule.make_schedule.cache_clear()
    yield
    _schedule.make_schedule.cache_clear()


def algorithms(case):
    """Those in tiles that take a case."""
    from upconv import explain

    x, weight = np.ones(case.x, "float32"), np.ones(case.weight, "float32")
    yield "overlap_add"
    try:
        explain(x, weight, **case.arguments, algorithm="sub_pixel")
    except ValueError:  # nothing to multiply
        return
    yield "sub_pixel"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_named_geometries(small_tiles, plain, case):
    for algorithm in algorithms(case):
        check(run(plain, case, algorithm), case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_ways_back(small_tiles, plain, case):
    test_adjoint.check(test_adjoint.both(plain, case, "overlap_add", "float32"), case, "float32")


@pytest.mark.parametrize("case", [case for case in CASES if case.name in ("pairs", "groups", "3d-dilated")], ids=str)
def test_two_threads_with_a_weight_each(small_tiles, plain, case, monkeypatch):
    """As where there are fewer tiles of channels than cores: each thread adds to its own, and then both are added."""
    from upconv._lower._numpy import _columns

    monkeypatch.setattr(_columns, "cores", lambda: 1000)
    test_adjoint.check(test_adjoint.both(plain, case, "overlap_add", "float64"), case)


@pytest.mark.parametrize("groups", [1, 2])
def test_threads_that_divide_the_channels(small_tiles, plain, groups, monkeypatch):
    """As where the weight is large and the positions are few: no thread has a weight of its own."""
    from upconv._lower._numpy import _columns

    divided = []

    def watched(tiles, channels, weight, ins=slice(None)):
        divided.append((ins.start, ins.stop))
        original(tiles, channels, weight, ins)

    original = _columns._conv_weight_tiles
    monkeypatch.setattr(_columns, "_conv_weight_tiles", watched)
    monkeypatch.setattr(_columns, "LARGE", 0)
    monkeypatch.setattr(_columns, "cores", lambda: 13)
    generator = np.random.default_rng(3)
    x, y = generator.random((1, 17 * groups, 2, 4)), generator.random((1, 2 * groups, 7, 10))
    words = {"kernel_size": (5, 4), "stride": (2, 3), "padding": (0, (1, 2)), "groups": groups}
    found, expected = (
        test_adjoint.upconv.conv_weight(plain.make(x), plain.make(y), **words, algorithm=a)
        for a in ("overlap_add", "generic")
    )
    np.testing.assert_allclose(plain.back(found), plain.back(expected), rtol=1e-12)
    assert sorted(divided) == [(c, min(c + 2, 17)) for c in range(0, 17, 2)]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_is_found_in_every_block(library, bad):
    if library.name != "numpy":
        pytest.skip(f"{library.name} is not asked block by block")
    from upconv._lower._numpy._operands import BLOCK, is_finite

    for shape in ((3,), (2, BLOCK // 2), (BLOCK + 1,), (3, BLOCK - 1)):
        for at in (0, -1):
            array = np.full(shape, 3e38, "float32")
            assert is_finite(array)
            assert is_finite(array[..., ::2])
            array.flat[at] = bad
            assert not is_finite(array)
            assert not is_finite(array.T)
    assert is_finite(np.empty((0, 3)))


def test_halves_are_added_wide_over_many_tiles(small_tiles, plain):
    """Beside a sum of 4096 float16 knows no quarter, which is what a row adds here: 32 in all."""
    x, y = np.full((2, 1, 64, 64), 1 / 256, "float16"), np.ones((2, 1, 64, 64), "float16")
    x[0, 0, 0, 0] = 4096
    weight = test_adjoint.upconv.conv_weight(plain.make(x), plain.make(y), (1, 1), algorithm="overlap_add")
    assert plain.back(weight) == np.float16(4128)


@given(case=cases(max_kernel=4, max_dilation=3))
def test_anything_legal(small_tiles, plain, case):
    for algorithm in algorithms(case):
        check(run(plain, case, algorithm), case)
    test_adjoint.check(test_adjoint.both(plain, case, "overlap_add", "float64"), case)


@pytest.mark.usefixtures("without_numba")
def test_many_tiles_are_the_one_tile(small_tiles, plain, request):
    case = next(case for case in CASES if case.name == "pairs")
    rng = np.random.default_rng(5)
    from upconv import conv_transpose2d, explain

    x, weight = rng.standard_normal((3, 2, 40, 5)), rng.standard_normal(case.weight)
    assert explain(x, weight, **case.arguments).workspace < 20 * request.node.callspec.params["small_tiles"] + 20_000
    y = conv_transpose2d(x, weight, **case.arguments)
    np.testing.assert_allclose(y, conv_transpose2d(x, weight, **case.arguments, algorithm="generic"), atol=1e-12)


@pytest.mark.parametrize(("samples", "taps"), [(3000, 1100), (700, 1500)])
def test_a_kernel_longer_than_its_tile_is_not_halved_without_end(library, samples, taps):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no lowering in tiles")
    from upconv import conv_transpose1d, conv_transpose2d

    rng = np.random.default_rng(6)
    x, weight = rng.standard_normal((1, 1, samples)), rng.standard_normal((1, 1, taps))
    expected = np.convolve(x[0, 0], weight[0, 0])
    np.testing.assert_allclose(conv_transpose1d(x, weight)[0, 0], expected, atol=1e-10)
    y = conv_transpose2d(np.stack([x, 2 * x], axis=2), weight[:, :, None])
    np.testing.assert_allclose(y[0, 0], [expected, 2 * expected], atol=1e-10)
