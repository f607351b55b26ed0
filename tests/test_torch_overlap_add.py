"""PyTorch's tiles on a CPU: their memory, their derivatives, what looks on, and what a second call costs."""

import subprocess
import sys
import threading
import warnings
from functools import partial

import numpy as np
import pytest

import upconv
from cases import CASES, Case
from test_values import check, run
from upconv import _calls, _dispatch, _libraries, _plans

# Where 'auto' takes the tiles: a kernel that is the stride, few output channels, float64.
LAYERS = {
    "kernel-is-stride": ((1, 128, 32, 24), (128, 64, 2, 3), {"stride": (2, 3)}),
    "few-channels": ((2, 70, 40, 30), (70, 2, 5, 4), {"stride": (2, 3), "padding": ((1, 2), (0, 1))}),
    "long-kernel": ((1, 100, 260), (100, 1, 256), {"stride": 64, "padding": 3}),
}


@pytest.fixture(params=LAYERS)
def layer(request, torch):
    x, weight, arguments = LAYERS[request.param]
    generator = torch.Generator().manual_seed(7)
    operands = [torch.randn(shape, generator=generator) for shape in (x, weight, (weight[1],))]
    return operands, partial(upconv.conv_transpose, **arguments)


@pytest.fixture
def small_tiles(torch, monkeypatch):
    """So small that each kind of cut is made."""
    from upconv._lower._torch import _schedule, _tiles

    for name in ("BY_SAMPLES", "BY_CHANNELS", "PHASES"):
        monkeypatch.setattr(_tiles, name, 600)
    _schedule.make_schedule.cache_clear()
    yield
    _schedule.make_schedule.cache_clear()


@pytest.mark.value
@pytest.mark.parametrize("case", CASES, ids=str)
def test_many_tiles_give_the_values_of_one(small_tiles, plain, case):
    check(run(plain, case, "overlap_add"), case)
    check(run(plain, case, "overlap_add", "float32", "channels_last"), case, "float32")


@pytest.mark.value
def test_images_side_by_side(plain, torch):
    # Many small images and a heavy weight share one product; groups of them another.
    for groups in (1, 2):
        case = Case(
            "merged",
            (5, 4, 3, 2),
            (4, 6, 5, 4),
            (1, 0),
            (8, 7),
            {"stride": (2, 3), "groups": groups, "padding": ((1, 0), (0, 0))},
        )
        check(run(plain, case, "overlap_add"), case)


def test_the_layers_are_taken(layer):
    operands, call = layer
    arguments = call.keywords
    assert upconv.explain(*operands, **arguments).algorithm == "overlap_add"
    assert upconv.explain(*(a.to("meta") for a in operands), **arguments).algorithm == "overlap_add"


def test_workspace_is_bounded(torch):
    code = """
import resource, sys, torch, upconv
dtype, shape, weight, stride = getattr(torch, sys.argv[1]), *map(eval, sys.argv[2:])
weight = torch.ones(weight, dtype=dtype)
torch.set_num_threads(1)
x = torch.ones(shape, dtype=dtype)
upconv.conv_transpose(x[..., :3], weight, stride=stride, algorithm="overlap_add")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
y = upconv.conv_transpose(x, weight, stride=stride, algorithm="overlap_add")
print(peak() - before - y.nbytes, upconv.explain(x, weight, stride=stride, algorithm="overlap_add").workspace)
"""
    cases = [
        ("float32", (2, 4, 700, 900), (4, 3, 3, 4), 2),  # rows, and images
        ("float16", (1, 600, 90, 70), (600, 1, 2, 2), 1),  # more channels than columns
        ("float64", (40, 300, 6, 5), (300, 20, 5, 4), (2, 3)),  # images side by side
        ("float32", (1, 3, 300_000), (3, 8, 6), 4),  # one axis alone
    ]
    for case in cases:
        words = [sys.executable, "-c", code, *map(str, case)]
        used, told = map(int, subprocess.run(words, capture_output=True, check=True, text=True).stdout.split())
        assert used < told + (4 << 20), case
        assert told < 32 << 20, case


def test_derivatives_are_those_of_the_op(layer, torch):
    operands, call = layer
    found = []
    for algorithm in ("overlap_add", "native"):
        leaves = [a.double().requires_grad_() for a in operands]
        y = call(*leaves, algorithm=algorithm)
        first = torch.autograd.grad((y**2).sum(), leaves, create_graph=True)
        found.append((y, *first, *torch.autograd.grad(sum((g**2).sum() for g in first), leaves)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_whoever_looks_on_sees_the_op(layer, torch):
    (x, weight, bias), call = layer
    call = partial(call, algorithm="overlap_add")
    expected = call(x, weight, bias)
    mapped = torch.func.vmap(call, in_dims=(None, 0, None))(x, torch.stack([weight, 2 * weight]), None)
    torch.testing.assert_close(mapped[0] + bias.reshape(-1, *(1,) * (x.ndim - 2)), expected, rtol=1e-4, atol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch's at its own use of `torch.jit.script`
        value, tangent = torch.func.jvp(partial(call, x), (weight,), (weight,))
    torch.testing.assert_close(tangent, value)
    torch._dynamo.reset()
    compiled = torch.compile(call, fullgraph=True, backend="eager", dynamic=True)
    torch.testing.assert_close(compiled(x, weight, bias), expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(call(x, weight, bias), expected, rtol=0, atol=0)


def test_a_second_call_is_looked_up(torch, monkeypatch):
    made = []
    monkeypatch.setattr(_calls, "_CALLS", {})
    resolve = _dispatch.resolve
    monkeypatch.setattr(_dispatch, "resolve", lambda *words: made.append(words) or resolve(*words))
    x, weight = torch.ones(2, 3, 5, 4), torch.ones(3, 2, 2, 3)
    for _ in range(3):
        upconv.conv_transpose2d(x, weight, stride=(2, 1), padding=((1, 0), (0, 1)))
        upconv.conv_transpose2d(x, torch.nn.Parameter(weight), stride=(2, 1), padding=((1, 0), (0, 1)))
    assert len(made) == 1
    differ = [
        ((x, weight), {}),
        ((x, weight, torch.ones(2)), {}),
        ((x[0], weight), {}),
        ((x.double(), weight.double()), {}),
        ((x.to("meta"), weight.to("meta")), {}),
        ((x, weight), {"algorithm": "generic"}),
        ((x, weight), {"output_padding": 0, "data_format": "channels_first", "output_size": (6, 7)}),
    ]
    for count, (arrays, words) in enumerate(differ, start=2):
        for _ in range(2):
            upconv.conv_transpose2d(*arrays, **words)
        assert len(made) == count, (arrays, words)


def test_what_is_looked_up_is_what_was_meant(torch):
    # Equal as keys of a dictionary, and other words, or other arrays.
    x, weight = torch.ones(1, 3, 5, 4), torch.ones(3, 2, 2, 3)
    y = upconv.conv_transpose2d(x, weight, stride=(1, 1))
    upconv.conv_transpose2d(x, weight)
    for stride in (True, 1.0, (1, True), (1.0, 1)):
        with pytest.raises(TypeError, match="`stride` must be an int or a tuple of ints"):
            upconv.conv_transpose2d(x, weight, stride=stride)
    with pytest.raises(TypeError, match="must be dense, got layout"):
        upconv.conv_transpose2d(x, weight.to_sparse())
    with pytest.raises(TypeError, match="`x` is an array of torch and `weight` one of numpy"):
        upconv.conv_transpose2d(x, weight.numpy())
    with torch.autocast("cpu", torch.bfloat16):
        assert upconv.conv_transpose2d(x, weight).dtype == torch.bfloat16
    torch.testing.assert_close(upconv.conv_transpose2d(x, weight, stride=np.int64(1)), y)


def test_what_is_remembered_is_bounded(torch, monkeypatch):
    monkeypatch.setattr(_libraries, "KEPT", 5)
    weight = torch.ones(1, 1, 3)
    for n in range(4, 20):
        upconv.conv_transpose1d(torch.ones(1, 1, n), weight)
        assert len(_calls._CALLS) <= 5
        assert len(_plans._PLANS) <= 5


def test_threads_share_nothing(layer):
    operands, call = layer
    expected, found = call(*operands), []
    threads = [threading.Thread(target=lambda: found.append(call(*operands))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((y == expected).all() for y in found)
    assert len(found) == 4
