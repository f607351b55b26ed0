"""Operands that each lie in memory in a way of their own, in every order of calls within one process.

What compiled code, or a memory of calls, took for granted of one call would be wrong of a later one.
"""

from itertools import product

import numpy as np
import pytest

import oracle
import upconv
from cases import Case

CASES = [
    Case(
        "few", (2, 4, 3, 2), (4, 1, 3, 2), (1, 0), (6, 3), {"stride": (2, 3), "padding": ((1, 0), (0, 2)), "groups": 2}
    ),
    Case("line", (3, 2, 40), (2, 5, 7), (3,), (80,), {"stride": 2, "padding": 3, "output_padding": 1}),
    Case("image", (2, 8, 20, 17), (8, 6, 3, 4), (1, 0), (39, 49), {"stride": (2, 3), "padding": ((1, 1), (0, 3))}),
    Case(
        "volume", (1, 3, 4, 6, 5), (3, 4, 2, 3, 3), (0, 1, 0), (5, 11, 9), {"stride": (1, 2, 2), "padding": (0, 1, 1)}
    ),
]


def unaligned(a):
    memory = np.zeros(a.nbytes + 1, "uint8")
    view = memory[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    assert not view.flags.aligned
    return view


def backwards(a):
    return a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim]


def with_metadata(a):
    return a.astype(np.dtype(a.dtype, metadata={"unit": "m"}))


# One of each is drawn for each operand; a layout comes last but one, because it would undo a misalignment.
ORDERS = [np.asarray, lambda a: a.astype(a.dtype.newbyteorder(">"))]
LAYOUTS = [
    np.asarray,
    np.asfortranarray,
    backwards,
    lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    unaligned,
    with_metadata,
]
FLAGS = [False, True]


def in_memory(array, order, layout, readonly):
    array = layout(order(array))
    array.flags.writeable = not readonly
    return array


@pytest.fixture
def numpys(library):
    if library.name != "numpy":
        pytest.skip("NumPy's arrays, whose every operand may be of another byte order, alignment, layout and flag")


def expected_of(case, x, weight, bias, y):
    stride, dilation, groups, lo, out = case.geometry
    geometry = stride, dilation, groups, lo
    return {
        "conv_transpose": oracle.conv_transpose(x, weight, bias, *geometry, out),
        "conv": oracle.conv(y, weight, None, *geometry, case.x[2:]),
        "conv_weight": oracle.conv_weight(x, y, case.weight[2:], *geometry),
    }


def call(verb, case, arrays, algorithm):
    x, weight, bias, y = arrays
    words = {name: value for name, value in case.arguments.items() if name != "output_padding"}
    # The exact crop, which the other two verbs take as well.
    full = oracle.full(case.x[2:], case.weight[2:], *case.geometry[:2])
    words["padding"] = tuple((lo, n - lo - out) for n, lo, out in zip(full, case.lo, case.out, strict=True))
    if verb == "conv_transpose":
        return upconv.conv_transpose(x, weight, bias, **words, algorithm=algorithm)
    if verb == "conv":
        return upconv.conv(y, weight, **words, algorithm=algorithm)
    return upconv.conv_weight(x, y, case.weight[2:], **words, algorithm=algorithm)


def algorithms(verb):
    from upconv._libraries import lowerings

    return ["auto", *(name for name, lowering in lowerings("numpy").items() if hasattr(lowering, verb))]


@pytest.mark.value
@pytest.mark.usefixtures("numpys")
@pytest.mark.parametrize("dtype, eps", [("float32", 2e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("seed", range(3))
def test_calls_in_any_order(dtype, eps, seed):
    rng = np.random.default_rng([seed, len(dtype)])
    cases = []
    for case in CASES:
        drawn = *case.arrays(dtype, seed), rng.standard_normal((case.x[0], case.weight[1] * case.groups, *case.out))
        arrays = tuple(a.astype(dtype) for a in drawn)
        wide = expected_of(case, *(a.astype("float64") for a in arrays))
        cases += [(case, verb, arrays, expected) for verb, expected in wide.items()]
    from upconv._lower._numpy._numba import missing

    for _ in range(150):
        case, verb, arrays, expected = cases[rng.integers(len(cases))]
        ours = algorithms(verb)
        algorithm = ours[rng.integers(len(ours))]
        if missing() and algorithm in ("direct", "loops"):
            continue
        ways = [tuple(options[rng.integers(len(options))] for options in (ORDERS, LAYOUTS, FLAGS)) for _ in arrays]
        odd = [in_memory(a, *way) for a, way in zip(arrays, ways, strict=True)]
        before = [a.tobytes() for a in odd]
        found = call(verb, case, odd, algorithm)
        message = f"{verb} of {case} by {algorithm}: {ways}"
        assert found.dtype == odd[3 if verb == "conv" else 0].dtype, message
        scale = eps * (1 + np.abs(expected).max())
        np.testing.assert_allclose(found.astype("float64"), expected, rtol=0, atol=scale, err_msg=message)
        assert found.flags.writeable, message
        assert [a.tobytes() for a in odd] == before, message


@pytest.mark.value
@pytest.mark.usefixtures("numpys")
@pytest.mark.parametrize("algorithm", ["auto", "direct", "loops"])
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_a_big_endian_operand_after_an_unaligned_one(which, algorithm):
    """x, the weight and the cotangent, of which some are unaligned first, then big-endian: of all verbs."""
    if algorithm != "auto":
        pytest.importorskip("numba", reason="Numba is not installed")
    case = CASES[2 if algorithm != "loops" else 0]
    x, weight, bias = case.arrays()
    arrays = x, weight, np.random.default_rng(3).standard_normal((case.x[0], case.weight[1] * case.groups, *case.out))
    wide = expected_of(case, x, weight, bias, arrays[2])
    for way in (unaligned, lambda a: a.astype(">f8"), lambda a: unaligned(a.astype(">f8")), np.asarray):
        x, weight, y = (way(a) if n in which else a for n, a in enumerate(arrays))
        for verb, expected in wide.items():
            found = call(verb, case, (x, weight, bias, y), algorithm)
            np.testing.assert_allclose(found.astype("float64"), expected, rtol=1e-10, atol=1e-10, err_msg=verb)
    found, pullback = upconv.vjp(x, weight, bias.astype(">f8"), **case.arguments, algorithm=algorithm)
    dx, dweight, _ = pullback(arrays[2].astype(">f8"))
    np.testing.assert_allclose(found, wide["conv_transpose"], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dx, wide["conv"], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dweight, wide["conv_weight"], rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("numpys")
def test_no_layout_of_an_operand_compiles_anew(monkeypatch):
    """One program for each dtype: a second one, for a read-only operand alone, takes as long to compile."""
    pytest.importorskip("numba", reason="Numba is not installed")
    from upconv._lower._numpy._compiled import direct
    from upconv._lower._numpy._correlation import correlation
    from upconv._lower._numpy._packing import pack
    from upconv._lower._numpy._trilinear import add

    compiled = direct, correlation, pack, add

    def programs():
        return [len(function.signatures) for function in compiled]

    def calls(*arrays):
        for case, algorithm in product((CASES[0], CASES[2]), ("direct", "loops")):
            x, weight, bias = case.arrays("float32")
            y = np.ones((case.x[0], case.weight[1] * case.groups, *case.out), "float32")
            for verb in ("conv_transpose", "conv", "conv_weight"):
                call(verb, case, [in_memory(a, *arrays) for a in (x, weight, bias, y)], algorithm)

    calls(np.asarray, np.asarray, False)
    before = programs()
    for way in product(ORDERS, LAYOUTS, FLAGS):
        calls(*way)
    assert programs() == before


@pytest.mark.value
def test_tensors_of_odd_memory(torch):
    """PyTorch's tensors that reach the compiled loops, each in memory of its own kind."""
    from upconv._lower._numpy._numba import missing

    if missing():
        pytest.skip(missing())
    case = CASES[2]
    rng = np.random.default_rng(7)
    ways = [
        torch.from_numpy,
        lambda a: torch.from_numpy(unaligned(a)),
        lambda a: torch.frombuffer(bytearray(b"_" + a.tobytes()), dtype=torch.float64, offset=1).view(a.shape),
        lambda a: torch._neg_view(torch.from_numpy(-a)),
        lambda a: torch.complex(torch.zeros(a.shape, dtype=torch.float64), torch.from_numpy(-a)).conj().imag,
        lambda a: torch.from_numpy(a).movedim(0, -1).contiguous().movedim(-1, 0),
    ]
    arrays = *case.arrays(), rng.standard_normal((case.x[0], case.weight[1], *case.out))
    wide = expected_of(case, *arrays)
    for _ in range(60):
        odd = [ways[rng.integers(len(ways))](a) for a in arrays]
        verb = list(wide)[rng.integers(3)]
        found = call(verb, case, odd, "direct")
        np.testing.assert_allclose(found.numpy(), wide[verb], rtol=1e-10, atol=1e-10, err_msg=verb)
    x = torch.from_numpy(arrays[0][:1, :1, :1, :1]).expand(case.x)  # zero strides
    expected = expected_of(case, x.numpy(), *arrays[1:])["conv_weight"]
    found = call("conv_weight", case, [x, None, None, ways[3](arrays[3])], "direct")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-10)
