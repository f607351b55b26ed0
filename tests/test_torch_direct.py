"""NumPy's compiled loops on PyTorch's tensors: memory formats, derivatives, what looks on, and threads."""

import sys
import warnings
from functools import partial

import numpy as np
import pytest

import upconv
from refusals import refused
from upconv import _calls, _plans
from upconv._plan import make_plan

X, WEIGHT, BIAS = (2, 6, 9, 14), (6, 4, 5, 4), (8,)
WORDS = {"stride": (2, 3), "padding": ((1, 0), (2, 1)), "groups": 2}


@pytest.fixture(autouse=True)
def compiled(torch, two_threads):
    pytest.importorskip("numba", reason="Numba is not installed")


@pytest.fixture
def operands(torch):
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in (X, WEIGHT, BIAS)]


call = partial(upconv.conv_transpose, **WORDS)


@pytest.mark.value
@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_halves_are_added_in_float32(torch, operands, name):
    narrow = [operand.to(getattr(torch, name)) for operand in operands]
    expected = call(*(operand.double() for operand in narrow), algorithm="generic")
    y = call(*narrow, algorithm="direct")
    assert y.dtype == narrow[0].dtype
    rounding = torch.finfo(y.dtype).eps
    torch.testing.assert_close(y.double(), expected, rtol=rounding, atol=3e-5)


@pytest.mark.value
def test_views_are_read_as_they_are(torch, operands):
    x, weight, bias = operands
    expected = call(x, weight, bias, algorithm="generic")
    wide = torch.zeros(4, 6, 9, 28, dtype=x.dtype)
    wide[::2, :, :, ::2] = x
    turned = weight.flip(-1).contiguous().flip(-1)
    negative = torch.imag(torch.complex(x, -x).conj())
    assert negative.is_neg()
    for view in (wide[::2, :, :, ::2], x.mT.contiguous().mT, negative):
        torch.testing.assert_close(call(view, turned, bias, algorithm="direct"), expected)


@pytest.mark.value
def test_the_memory_format_stays(torch, operands):
    x, weight, bias = operands
    y = call(x.contiguous(memory_format=torch.channels_last), weight, bias, algorithm="direct")
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, call(x, weight, bias, algorithm="generic"))
    back = upconv.conv(y, weight, **WORDS, algorithm="direct")
    assert back.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(back, upconv.conv(y, weight, **WORDS, algorithm="generic"))


def test_derivatives_are_those_of_the_op(operands, torch):
    found = []
    for algorithm in ("direct", "native"):
        leaves = [operand.clone().requires_grad_() for operand in operands]
        y = call(*leaves, algorithm=algorithm)
        first = torch.autograd.grad((y**2).sum(), leaves, create_graph=True)
        found.append((y, *first, *torch.autograd.grad(sum((g**2).sum() for g in first), leaves)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_ways_back_have_derivatives_too(operands, torch):
    """The second ones pass through all three maps; PyTorch's own op has no third with an output_padding."""
    x, weight, _ = operands
    y = call(x, weight, algorithm="native").detach()
    words = {name: WORDS[name] for name in ("stride", "padding", "groups")}
    maps = {
        "conv": (lambda algorithm, y, weight, b: upconv.conv(y, weight, b, **words, algorithm=algorithm), (y, weight)),
        "conv_weight": (
            lambda algorithm, x, y, b: upconv.conv_weight(x, y, weight.shape[2:], **words, algorithm=algorithm),
            (x, y),
        ),
    }
    for verb, (function, given) in maps.items():
        found = []
        for algorithm in ("direct", "generic"):
            leaves = [operand.clone().requires_grad_() for operand in (*given, torch.ones(6, dtype=x.dtype))]
            value = function(algorithm, *leaves)
            leaves = leaves if verb == "conv" else leaves[:2]
            first = torch.autograd.grad((value**2).sum(), leaves, create_graph=True)
            found.append((value, *first, *torch.autograd.grad(sum((g**2).sum() for g in first), leaves)))
        for ours, theirs in zip(*found, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_the_way_back_is_the_faster_one(torch, monkeypatch):
    """Of a large layer in float64 the compiled loops, else PyTorch's own op: whatever the way there was."""
    from upconv._lower._torch import direct

    taken = []
    for name in ("conv", "conv_weight"):
        right = getattr(direct, f"own_{name}")
        monkeypatch.setattr(
            direct, f"own_{name}", lambda *given, right=right, name=name: taken.append(name) or right(*given)
        )
    for dtype, size, own in (
        (torch.float64, 40, []),
        (torch.float64, 5, ["conv", "conv_weight"]),
        (torch.float32, 40, ["conv", "conv_weight"]),
    ):
        x, weight = torch.randn(2, 32, size, 44, dtype=dtype), torch.randn(32, 16, 3, 5, dtype=dtype)
        x, weight = x.requires_grad_(), weight.requires_grad_()
        y = upconv.conv_transpose(x, weight, stride=(2, 3), algorithm="direct")
        assert type(y.grad_fn).__name__ == "_EagerBackward"
        y.sum().backward()
        assert taken == own, (dtype, size)
        expected = torch.autograd.grad(
            upconv.conv_transpose(x, weight, stride=(2, 3), algorithm="native").sum(), (x, weight)
        )
        for ours, theirs in zip((x.grad, weight.grad), expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)
        taken.clear()


def test_batched_cotangents(torch):
    """Tensors by their class, whose memory nothing can read."""
    x = torch.randn(2, 20, 40, 44, dtype=torch.float64).requires_grad_()
    weight = torch.randn(20, 24, 3, 5, dtype=torch.float64).requires_grad_()
    y = upconv.conv_transpose(x, weight, stride=(2, 3), algorithm="direct")
    given = torch.randn(3, *y.shape, dtype=y.dtype)
    found = torch.autograd.grad(y, (x, weight), given, is_grads_batched=True, retain_graph=True)
    for n, cotangent in enumerate(given):
        expected = torch.autograd.grad(y, (x, weight), cotangent, retain_graph=True)
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours[n], theirs)


def test_whoever_looks_on_sees_the_op(operands, torch):
    x, weight, bias = operands
    direct = partial(call, algorithm="direct")
    expected = direct(x, weight, bias)
    mapped = torch.func.vmap(direct, in_dims=(None, 0, None))(x, torch.stack([weight, 2 * weight]), bias)
    torch.testing.assert_close(mapped[0], expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch's at its own use of `torch.jit.script`
        value, tangent = torch.func.jvp(partial(direct, x), (weight,), (weight,))
    torch.testing.assert_close(tangent, value)
    torch._dynamo.reset()
    compiled = torch.compile(direct, fullgraph=True, backend="eager", dynamic=True)
    torch.testing.assert_close(compiled(x, weight, bias), expected)
    assert direct(x.to("meta"), weight.to("meta"), bias.to("meta")).shape == expected.shape


@pytest.fixture
def chosen(torch):
    def algorithm(dtype, x, weight, **words):
        x, weight = torch.empty(x, dtype=dtype, device="meta"), torch.empty(weight, dtype=dtype, device="meta")
        return upconv.explain(x, weight, **words).algorithm

    return algorithm


def test_where_auto_takes_it_with_narrow_vectors(torch, chosen, monkeypatch):
    from upconv._lower._torch import _choice

    monkeypatch.setattr(_choice, "IS_NARROW", True)
    for dtype in (torch.float32, torch.float16):
        assert chosen(dtype, (1, 512, 40, 44), (512, 24, 3, 5), stride=(2, 3)) == "overlap_add"
        assert chosen(dtype, (1, 512, 40, 44), (512, 24, 4, 5), stride=(2, 3)) == "native"
        assert chosen(dtype, (32, 256, 112), (256, 48, 6), stride=3) == "direct"
    assert chosen(torch.float64, (1, 512, 40, 44), (512, 24, 4, 5), stride=(2, 3)) == "direct"


def test_where_auto_takes_it(torch, chosen, monkeypatch):
    """As oneDNN is fast in float32 where PyTorch's op of float64 is slow, the two have thresholds of their own."""
    from upconv._lower._torch import _choice

    monkeypatch.setattr(_choice, "IS_NARROW", False)
    halves, double = (torch.float32, torch.float16, torch.bfloat16), torch.float64
    for dtype in (*halves, double):
        assert chosen(dtype, (1, 32, 40, 44), (32, 24, 3, 5), stride=(2, 3)) == "direct"
        assert chosen(dtype, (1, 32, 4, 5), (32, 24, 3, 5), stride=(2, 3)) != "direct"
        assert chosen(dtype, (1, 512, 40, 44), (512, 24, 3, 5), stride=(2, 3)) == "direct"
        assert chosen(dtype, (1, 512, 10, 14), (512, 24, 3, 5), stride=(2, 3)) != "direct"
        assert chosen(dtype, (4, 128, 40, 44), (128, 3, 4, 5), stride=(2, 3)) == "overlap_add"
        assert chosen(dtype, (32, 256, 112), (256, 48, 6), stride=3) == "direct"
        assert chosen(dtype, (16, 128, 28, 56), (128, 8, 4, 3), stride=(3, 1)) == "direct"
    for dtype in halves:
        assert chosen(dtype, (1, 512, 20, 30), (512, 48, 3, 5), stride=(2, 3)) != "direct"
        assert chosen(dtype, (1, 64, 40, 44), (64, 48, 3, 5)) == "native"
        assert chosen(dtype, (8, 32, 40, 44), (32, 1, 3, 5), groups=32) == "native"
        assert chosen(dtype, (1, 96, 40, 44), (96, 48, 3, 5), stride=(2, 3)) == "native"
        assert chosen(dtype, (32, 1024, 28), (1024, 1, 5), stride=2, groups=1024) == "native"
        assert chosen(dtype, (1, 21, 64, 60), (21, 1, 4, 5), stride=(2, 3), groups=21) == "native"
        assert chosen(dtype, (16, 21, 90, 80), (21, 1, 4, 5), stride=(4, 3), groups=21) == "direct"
        assert chosen(dtype, (64, 384, 56), (384, 1, 4), stride=2, groups=2) == "direct"
        assert chosen(dtype, (1, 24, 30, 28), (24, 3, 4, 5), stride=(2, 3)) == "direct"
        assert chosen(dtype, (19, 24, 8, 7), (24, 3, 4, 5)) == "native"
        assert chosen(dtype, (1, 24, 8, 7, 9), (24, 12, 4, 16, 3), stride=2) == "native"
        assert chosen(dtype, (1, 24, 18, 17, 19), (24, 12, 4, 16, 3), stride=2) == "direct"
        assert chosen(dtype, (1, 24, 30, 28), (24, 3, 4, 5)) == "direct"
        assert chosen(dtype, (64, 12, 7, 10), (12, 8, 3, 4), stride=(2, 1), groups=4) == "direct"
        assert chosen(dtype, (1, 48, 8, 7, 9), (48, 16, 4, 16, 5), stride=(2, 2, 1)) == "native"
        assert chosen(dtype, (1, 48, 12, 11, 28), (48, 24, 4, 4, 5), stride=(2, 2, 1)) == "direct"
        assert chosen(dtype, (1, 48, 12, 11, 28), (48, 16, 4, 4, 5), stride=(2, 2, 1)) == "native"
        assert chosen(dtype, (1, 1026, 224), (1026, 1, 1024), stride=256) == "native"
        assert chosen(dtype, (1, 1026, 224), (1026, 1, 1024), stride=512) == "overlap_add"
    assert chosen(double, (1, 512, 20, 30), (512, 48, 3, 5), stride=(2, 3)) == "direct"
    assert chosen(double, (1, 64, 40, 44), (64, 48, 3, 5)) == "direct"
    assert chosen(double, (8, 32, 40, 44), (32, 1, 3, 5), groups=32) == "direct"
    assert chosen(double, (1, 96, 40, 44), (96, 48, 3, 5), stride=(2, 3)) == "direct"
    assert chosen(double, (8, 128, 40, 44), (128, 3, 4, 6), stride=(2, 3)) == "direct"


@pytest.mark.parametrize("double", [False, True])
def test_not_where_the_tables_take_longer_than_the_call(torch, double):
    """4096 phases of 1030 lines are tables of 80 MiB, which take three seconds to make."""
    from upconv._lower._torch import direct

    plan, _ = _plans.plan_for(None, (1, 1, 1024, 4), (1, 1, 64, 64), None, 64, 0, 0, 1, 1, None, "channels_first")
    x, y = (
        torch.empty(shape, dtype=torch.float64 if double else torch.float32, device="meta")
        for shape in ((1, 1, 1024, 4), (1, 1, 65536, 256))
    )
    for said in (direct.slow(plan, x), direct.slow_conv(plan, y), direct.slow_conv_weight(plan, x)):
        assert "many phases of many lines" in said


def test_where_the_ways_back_take_it(torch):
    from upconv._lower._torch._choice import slow_direct_conv, slow_direct_conv_weight

    def taken(dtype, x, weight, *, stride, groups=1, padding=0):
        size, kernel, outs = x[2:], weight[2:], weight[1] * groups
        out = tuple((i - 1) * s + k - 2 * padding for i, k, s in zip(size, kernel, stride, strict=True))
        plan = make_plan(
            in_channels=x[1],
            out_channels=outs,
            groups=groups,
            size=size,
            kernel=kernel,
            stride=stride,
            dilation=(1,) * len(size),
            out=out,
            lo=(padding,) * len(size),
            channels_last=False,
        )
        x = torch.empty(x, dtype=dtype, device="meta")
        y = torch.empty(len(x), outs, *out, dtype=dtype, device="meta")
        return not slow_direct_conv(plan, y), not slow_direct_conv_weight(plan, x)

    single, half, double = torch.float32, torch.float16, torch.float64
    for dtype in (single, half, double):
        assert taken(dtype, (4, 5, 128, 96), (5, 24, 4, 3), stride=(2, 1)) == (True, True)
        assert taken(dtype, (1, 32, 4, 5), (32, 24, 3, 5), stride=(2, 3)) == (False, False)
        assert taken(dtype, (1, 512, 6, 5), (512, 256, 3, 5), stride=(2, 3)) == (False, False)
        assert taken(dtype, (2, 512, 24, 20), (512, 256, 3, 5), stride=(2, 3)) == (dtype == double, False)
        wide = dtype != half
        assert taken(dtype, (2, 128, 28, 30), (128, 2, 3, 1), stride=(2, 1), groups=128) == (wide, True)
        assert taken(dtype, (8, 60, 80, 90), (60, 24, 4, 3), stride=(2, 3)) == (wide, True)
    for dtype in (single, double):
        assert taken(dtype, (1, 21, 32, 30), (21, 21, 16, 15), stride=(8, 8)) == (True, True)
        assert taken(dtype, (1, 21, 32, 30), (21, 21, 16, 15), stride=(4, 8)) == (dtype == double, dtype == double)
        assert taken(dtype, (1, 32, 9000), (32, 32, 8), stride=(4,)) == (dtype == double, dtype == double)
        assert taken(dtype, (64, 32, 14, 12), (32, 16, 3, 5), stride=(2, 1)) == (dtype == double, dtype == double)
    # What oneDNN takes 16 at a time, few of a group or many in all, and depthwise layers.
    assert taken(single, (8, 64, 60, 32), (64, 2, 3, 2), stride=(3, 2), groups=2) == (True, True)
    assert taken(single, (8, 64, 60, 32), (64, 16, 3, 2), stride=(3, 2), groups=2) == (False, True)
    assert taken(single, (16, 36, 70, 64), (36, 3, 3, 2), stride=(3, 2)) == (True, False)
    assert taken(single, (16, 36, 40, 64), (36, 3, 3, 2), stride=(3, 2)) == (False, False)
    assert taken(single, (1, 384, 64, 56), (384, 1, 6, 3), stride=(3, 3), groups=384) == (True, True)
    assert taken(single, (1, 384, 32, 28), (384, 1, 6, 3), stride=(3, 3), groups=384) == (False, True)
    assert taken(single, (1, 384, 32, 28), (384, 1, 16, 20), stride=(3, 2), groups=384, padding=7) == (True, True)
    assert taken(single, (1, 384, 32, 28), (384, 1, 16, 20), stride=(3, 2), groups=384, padding=6) == (False, True)
    assert taken(double, (9, 70, 20, 26), (70, 64, 3, 5), stride=(2, 1)) == (True, True)
    assert taken(double, (9, 90, 20, 26), (90, 64, 3, 5), stride=(2, 1)) == (True, True)
    assert taken(double, (1, 900, 28), (900, 2, 16), stride=(4,), groups=900) == (True, True)
    assert taken(double, (9, 90, 20, 7), (90, 64, 3, 9), stride=(2, 1)) == (True, False)
    assert taken(double, (4, 300, 30, 26), (300, 64, 3, 5), stride=(2, 1)) == (True, False)
    assert taken(double, (1, 48, 96, 90), (48, 1, 3, 3), stride=(1, 1), groups=48) == (False, True)
    assert taken(double, (16, 64, 64, 60), (64, 1, 4, 3), stride=(2, 1)) == (False, True)


def test_it_takes_as_many_threads_as_pytorch(torch, monkeypatch):
    from upconv._lower._torch import direct

    asked, right = [], direct.side_by_side
    monkeypatch.setattr(direct, "side_by_side", lambda *tasks, **words: asked.append(words) or right(*tasks, **words))
    for threads in (1, 2):
        torch.set_num_threads(threads)
        upconv.conv_transpose(torch.ones(1, 32, 40, 40), torch.ones(32, 24, 3, 5), algorithm="direct")
        assert [words["threads"] for words in asked] == [2] * (threads > 1)  # one alone asks no other
        asked.clear()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_where_it_belongs(torch, operands, value):
    x, weight, bias = operands
    weight[3, 1, 4, 0] = value
    y, expected = (call(x, weight, bias, algorithm=name) for name in ("direct", "generic"))
    torch.testing.assert_close(y, expected, equal_nan=True)


def test_without_numba(torch, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(_calls, "_CALLS", {})
    x, weight = torch.ones(1, 32, 40, 40).double(), torch.ones(32, 24, 3, 5).double()
    assert upconv.explain(x, weight, stride=(2, 3)).algorithm == "overlap_add"
    with refused(ValueError, "direct does not take a call without Numba, which is not installed"):
        upconv.conv_transpose(x, weight, stride=(2, 3), algorithm="direct")
