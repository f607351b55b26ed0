"""Arrays that are legal and unusual in memory: right values, inputs left alone, results with memory of their own."""

import numpy as np
import pytest

import oracle
import upconv
from cases import Case

# NumPy's table, which takes calls on few numbers, and its tiles.
WORDS = {"stride": (2, 3), "padding": ((1, 0), (0, 2)), "groups": 2}
CASES = [
    Case("few", (2, 4, 3, 2), (4, 1, 3, 2), (1, 0), (6, 3), WORDS),
    Case("tiles", (2, 4, 7, 6), (4, 3, 3, 4), (1, 0), (14, 17), WORDS),
]


class Plain(np.ndarray):
    """A subclass that says nothing of its own."""


def unaligned(a, folder):
    memory = np.zeros(a.nbytes + 1, "uint8")
    view = memory[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    assert not view.flags.aligned
    return view


def memory_mapped(a, folder):
    path = folder / f"{'x'.join(map(str, a.shape))}.bin"
    a.tofile(path)
    return np.memmap(path, a.dtype, mode="r", shape=a.shape)


def readonly(a, folder):
    a = a.copy()
    a.flags.writeable = False
    return a


def overlapping(a, folder):
    line = np.resize(a, sum(a.shape) * 2)
    return np.lib.stride_tricks.as_strided(line, a.shape, (a.itemsize,) * a.ndim)


def backwards(a, folder):
    return a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim]


ODD = {
    "fortran": lambda a, folder: np.asfortranarray(a),
    "axes-backwards": lambda a, folder: a.transpose(range(a.ndim)[::-1]).copy().transpose(range(a.ndim)[::-1]),
    "negative-strides": backwards,
    "every-other": lambda a, folder: np.repeat(a, 2, axis=-1)[..., ::2],
    "zero-strides": lambda a, folder: np.broadcast_to(a[..., :1], a.shape),
    "all-one-number": lambda a, folder: np.broadcast_to(a.ravel()[0], a.shape),
    "overlapping": overlapping,
    "big-endian": lambda a, folder: a.astype(">f8"),
    "readonly": readonly,
    "memory-mapped": memory_mapped,
    "unaligned": unaligned,
    "subclass": lambda a, folder: a.view(Plain),
}


def root(array):
    """The array that holds the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def check(found, arrays, case):
    """Compare y, dx, dweight and dbias with the oracle."""
    x, weight, bias, cotangent = (np.array(a, "float64") for a in arrays)
    stride, dilation, groups, lo, out = case.geometry
    words = (stride, dilation, groups, lo)
    expected = (
        oracle.conv_transpose(x, weight, bias, *words, out),
        oracle.conv(cotangent, weight, None, *words, x.shape[2:]),
        oracle.conv_weight(x, cotangent, weight.shape[2:], *words),
        cotangent.sum((0, 2, 3)),
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-9, atol=1e-9)


def draw(case):
    return *case.arrays(), np.random.default_rng(5).standard_normal(
        (case.x[0], case.weight[1] * case.groups, *case.out)
    )


@pytest.mark.value
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("how", ODD)
def test_numpys_memory(library, plain, algorithm, how, case, tmp_path):
    if library.name not in ("numpy", "strict", "dask"):
        pytest.skip(f"{library.name} copies what NumPy lays out")
    if (library.name, how) == ("strict", "big-endian"):
        pytest.skip("array-api-strict has no dtype for it")
    odd = [ODD[how](a, tmp_path) for a in draw(case)]
    before = [root(a).tobytes() for a in odd]
    # NumPy's own as they are: what makes its ordinary arrays would copy them.
    x, weight, bias, cotangent = odd if library.name == "numpy" else map(plain.make, odd)
    y, pullback = upconv.vjp(x, weight, bias, **case.arguments, algorithm=algorithm)
    found = [plain.back(a) for a in (y, *pullback(cotangent))]
    check(found, odd, case)
    assert [root(a).tobytes() for a in odd] == before
    for n, result in enumerate(found):
        assert type(result) is np.ndarray
        assert not any(np.shares_memory(result, root(a)) for a in (*odd, *found[:n]))
        if library.name == "numpy":
            assert result.flags.writeable
            assert result.flags.c_contiguous


@pytest.mark.value
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # NumPy's own word about its matrices
def test_a_matrix_is_an_array_of_two_axes(library, algorithm):
    if library.name != "numpy":
        pytest.skip("NumPy alone has matrices")
    x, weight = np.arange(8.0).reshape(2, 4), np.arange(12.0).reshape(2, 2, 3)
    y, pullback = upconv.vjp(np.asmatrix(x), weight, np.ones(2), algorithm=algorithm)
    expected, plain_pullback = upconv.vjp(x, weight, np.ones(2), algorithm=algorithm)
    for ours, theirs in zip((y, *pullback(np.asmatrix(y))), (expected, *plain_pullback(y)), strict=True):
        assert type(ours) is np.ndarray
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def torch_layouts(torch):
    class Plain(torch.Tensor):
        pass

    def inside(a):
        memory = torch.full((a.numel() + 7,), float("nan"), dtype=a.dtype)
        view = memory[3 : 3 + a.numel()].view(a.shape)
        return view.copy_(a)

    def overlapping(a):
        return a.flatten().repeat(2)[: 2 * sum(a.shape)].clone().as_strided(a.shape, (1,) * a.ndim)

    def backwards(a):
        order = list(range(a.ndim))[::-1]
        return a.permute(order).contiguous().permute(order)

    def last(a):
        return a.contiguous(memory_format=torch.channels_last) if a.ndim == 4 else a.clone()

    return {
        "axes-backwards": backwards,
        "channels-last": last,
        "every-other": lambda a: a.repeat_interleave(2, -1)[..., ::2],
        "zero-strides": lambda a: a[..., :1].expand(a.shape),
        "all-one-number": lambda a: (
            a.flatten()[:1].expand(a.shape) if a.ndim == 1 else a[:1, :1, :1, :1].expand(a.shape)
        ),
        "overlapping": overlapping,
        "inside": inside,
        "unaligned": lambda a: torch.frombuffer(bytearray(b"_" + a.numpy().tobytes()), dtype=a.dtype, offset=1).view(
            a.shape
        ),
        "lazily-negative": lambda a: torch._neg_view(-a),
        "parameter": lambda a: torch.nn.Parameter(a.clone()),
        "subclass": lambda a: a.clone().as_subclass(Plain),
    }


LAYOUTS = "axes-backwards channels-last every-other zero-strides all-one-number overlapping inside unaligned "
LAYOUTS += "lazily-negative parameter subclass"


@pytest.mark.value
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("how", LAYOUTS.split())
def test_pytorchs_memory(torch, torch_layouts, algorithm, how, case):
    odd = [torch_layouts[how](torch.from_numpy(a)) for a in draw(case)]

    def memory(tensor):
        return bytes(tensor.detach().untyped_storage().tolist())

    before = [(memory(a), a._version) for a in odd]
    y, pullback = upconv.vjp(*odd[:3], **case.arguments, algorithm=algorithm)
    found = [y, *pullback(odd[3])]
    values = [[a.detach().resolve_neg().as_subclass(torch.Tensor).numpy() for a in some] for some in (found, odd)]
    check(*values, case)
    assert [(memory(a), a._version) for a in odd] == before
    places = [a.untyped_storage().data_ptr() for a in (*odd, *found)]
    assert len(set(places)) == len(places)
    if how == "subclass":
        assert {type(a) for a in found} == {type(odd[0])}
    if how == "parameter":
        gradients = torch.autograd.grad(y, odd[:3], odd[3].detach())
        for ours, theirs in zip(gradients, found[1:], strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.value
def test_lazy_conjugates(torch, algorithm):
    if algorithm in ("direct", "overlap_add"):
        pytest.skip(f"{algorithm} takes no complex numbers")
    x, weight = (torch.from_numpy(a) for a in CASES[0].arrays("complex128")[:2])
    odd = [a.conj().resolve_conj().conj() for a in (x, weight)]
    assert all(a.is_conj() for a in odd)
    y = upconv.conv_transpose(*odd, **WORDS, algorithm=algorithm)
    torch.testing.assert_close(y, upconv.conv_transpose(x, weight, **WORDS, algorithm=algorithm))
