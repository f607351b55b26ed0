"""NumPy's compiled lowering: in pieces of every size, on long lines, and as a machine with narrow vectors has it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

import test_adjoint
import upconv
from cases import CASES, Case
from refusals import refused
from strategies import cases
from test_values import check, run

pytestmark = pytest.mark.value

# What the shared cases are too small for: lines longer than a run, more rows than eight, of which some have a partner,
# channels that threads divide, lines of whole vectors and a rest, and rows for which samples are gathered.
LONG = [
    Case(
        "long-line", (1, 2, 2, 1000), (2, 3, 2, 3), (1, 2), (3, 1998), {"stride": (2, 2), "padding": ((1, 0), (2, 1))}
    ),
    Case("long-line-1d", (2, 3, 2050), (3, 9, 4), (1,), (4100,), {"stride": 2, "padding": 1}),
    Case("many-rows", (2, 5, 4, 7), (5, 19, 4, 2), (1, 0), (8, 14), {"stride": 2, "padding": ((1, 1), (0, 0))}),
    Case("many-channels", (1, 21, 3, 7), (21, 3, 2, 4), (0, 1), (6, 8), {"stride": (2, 1), "padding": (0, 1)}),
    Case("wide-lines", (2, 8, 4, 45), (8, 12, 3, 2), (1, 0), (8, 45), {"stride": (2, 1), "padding": ((1, 0), (0, 1))}),
    Case("odd-crops", (1, 3, 5, 6), (3, 4, 4, 4), (1, 2), (10, 9), {"stride": 2, "padding": ((1, 1), (2, 3))}),
    Case("gathered", (2, 70, 3, 5), (70, 66, 3, 2), (1, 0), (6, 5), {"stride": (2, 1), "padding": ((1, 0), (0, 1))}),
    Case(
        "gathered-long",
        (1, 9, 2, 700),
        (9, 65, 2, 3),
        (0, 2),
        (2, 1399),
        {"stride": (1, 2), "padding": ((0, 1), (2, 0))},
    ),
    Case("two-of-three", (1, 3, 5, 6), (3, 6, 5, 5), (2, 1), (13, 18), {"stride": 3, "padding": ((2, 2), (1, 1))}),
]


@pytest.fixture
def compiled(library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} has no compiled lowering")
    pytest.importorskip("numba", reason="Numba is not installed")


@pytest.fixture(params=[(1, 24), (1, 0), (3000, 24), (3000, 0), (2**20, 24)], ids="{0[0]}-bytes-{0[1]}".format)
def pieces(request, compiled, monkeypatch):
    """Pieces of a size, on threads however little there is to do; laid apart wherever that leaves anything out."""
    from upconv._lower._numpy import _operands, _pieces, _program, _tables, _ways

    size, lay = request.param
    monkeypatch.setattr(_tables, "TILE_BYTES", size)
    monkeypatch.setattr(_ways, "LAY", lay)
    monkeypatch.setattr(_operands, "THREADS", 0)
    monkeypatch.setattr(_program, "LONGEST", max(20_000, 4 * size))
    monkeypatch.setattr(_pieces, "MANY_WEIGHTS", size)
    for known in (_program.program_of, _program.correlation_of):
        known.cache_clear()
    yield size
    for known in (_program.program_of, _program.correlation_of):
        known.cache_clear()


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("case", [*LONG, *CASES], ids=str)
def test_named_geometries(pieces, plain, case, data_format):
    check(run(plain, case, "direct", data_format=data_format), case)


@pytest.mark.parametrize("case", [*LONG, *CASES], ids=str)
def test_the_way_back(pieces, plain, case):
    test_adjoint.check(test_adjoint.both(plain, case, "direct", "float32"), case, "float32")


@given(case=cases(max_kernel=4, max_dilation=3))
def test_anything_legal(pieces, plain, case):
    check(run(plain, case, "direct"), case)


def test_a_long_line_is_halved(pieces, plain, monkeypatch):
    from upconv._lower._numpy import _pieces, _program

    known: list[_program.Program] = []

    def keeping(*what):
        known.append(_program.program_of(*what))
        return known[-1]

    monkeypatch.setattr(_pieces, "program_of", keeping)
    case = LONG[0]
    check(run(plain, case, "direct"), case)
    assert len(known) == 1
    assert len(known[0].parts) > 1 if pieces < 2**20 else len(known[0].parts) == 1


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_of_an_image_that_is_copied_what_is_cropped_is_left(pieces, data_format, monkeypatch):
    from upconv._lower._numpy import direct

    right, images = direct.run, []
    monkeypatch.setattr(direct, "run", lambda *args: images.append(args[2].shape) or right(*args))
    rng = np.random.default_rng(0)
    shape, left = ((2, 2, 9, 7), (2, 2, 5, 7)) if data_format == "channels_first" else ((2, 9, 7, 2), (2, 5, 7, 2))
    x, weight = rng.standard_normal((*shape[:-1], 2 * shape[-1]))[..., ::2], rng.standard_normal((2, 3, 3, 2))
    words = {"stride": (2, 1), "padding": ((9, 0), (1, 0)), "data_format": data_format}
    y, expected = (upconv.conv_transpose(x, weight, algorithm=name, **words) for name in ("direct", "generic"))
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    assert images == [left]


def test_it_is_what_auto_takes(compiled):
    x, weight = np.ones((2, 32, 24, 24), "float32"), np.ones((32, 24, 3, 5), "float32")
    assert upconv.explain(x, weight, stride=(2, 3)).algorithm == "direct"
    assert upconv.explain(x.astype("float16"), weight.astype("float16"), stride=(2, 3)).algorithm == "overlap_add"
    assert upconv.explain(x[..., :2, :2], weight[..., :2, :2], stride=2).algorithm != "direct"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_in_the_weight_is_left_to_columns(compiled, value):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((1, 3, 5, 6)), rng.standard_normal((3, 4, 3, 2))
    weight[1, 2, 2, 0] = value
    with np.errstate(invalid="ignore"):  # BLAS multiplies inf by what it pads with
        y = upconv.conv_transpose(x, weight, stride=2, algorithm="direct")
    finite = np.isfinite(y)
    assert not finite[0, 2, 4:11:2, 0:11:2].any()
    assert finite.sum() == y.size - 5 * 6


def test_without_numba(library, monkeypatch):
    if library.name != "numpy":
        pytest.skip("of NumPy")
    from upconv._lower._numpy._numba import _is_installed

    x, weight = np.ones((2, 32, 24, 24), "float32"), np.ones((32, 24, 3, 5), "float32")
    monkeypatch.setitem(sys.modules, "numba", None)
    _is_installed.cache_clear()
    try:
        assert upconv.explain(x, weight, stride=(2, 3)).algorithm == "overlap_add"
        with refused(ValueError, "direct does not take a call without Numba, which is not installed"):
            upconv.conv_transpose(x, weight, stride=(2, 3), algorithm="direct")
    finally:
        _is_installed.cache_clear()


def test_a_kernel_that_reaches_far_is_not_taken(compiled):
    x, weight = np.ones((1, 64, 3, 3), "float32"), np.ones((64, 1, 300, 300), "float32")
    with refused(ValueError, "direct does not take a kernel so long"):
        upconv.conv_transpose(x, weight, algorithm="direct")


NARROW = """
import llvmlite.binding
features = llvmlite.binding.get_host_cpu_features()
features.update({name: False for name in features if "avx512" in name or "avx10" in name})
llvmlite.binding.get_host_cpu_features = lambda: features
import numpy, upconv
from upconv._lower._numpy import _micro
assert not _micro.IS_WIDE
rng = numpy.random.default_rng(0)
for channels in ((3, 13), (70, 66)):  # of which the second are gathered
    x, weight = rng.standard_normal((3, channels[0], 5, 40)), rng.standard_normal((*channels, 3, 4))
    for call in (
        lambda name: upconv.conv_transpose(x, weight, stride=(2, 3), algorithm=name),
        lambda name: upconv.conv(y, weight, stride=(2, 3), algorithm=name),
        lambda name: upconv.conv_weight(x, y, (3, 4), stride=(2, 3), algorithm=name),
    ):
        y, expected = call("direct"), call("generic")
        numpy.testing.assert_allclose(y, expected, atol=1e-12 * abs(expected).max())
        y = upconv.conv_transpose(x, weight, stride=(2, 3), algorithm="generic")
"""


def test_narrow_vectors_give_the_values(compiled, tmp_path):
    """What a machine without AVX-512 computes: Numba keeps its programs apart, and so does this."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", NARROW], check=True, env=environment, timeout=300)
