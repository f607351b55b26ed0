"""Halves on a CPU go through float32 some images at a time: what they come to, and how much is wide at once."""

from functools import partial

import pytest

import upconv
from upconv._plan import make_plan

WORDS = {"stride": (2, 3), "padding": ((1, 0), (2, 1)), "groups": 2}
# In float32 an image has 4 * (6*9*14 + 8*20*40) bytes: of five, two are taken at a time, and one is left.
PART, LARGEST = 2**16, 2 * 8 * 20 * 40


@pytest.fixture(autouse=True)
def small_parts(torch, two_threads, monkeypatch):
    from upconv._lower._torch import _own

    monkeypatch.setattr(_own, "PART", PART)


@pytest.fixture
def operands(torch):
    generator = torch.Generator().manual_seed(7)
    shapes = (5, 6, 9, 14), (6, 4, 5, 4), (8,), (5, 8, 20, 40)
    return [torch.randn(shape, generator=generator, dtype=torch.float16) for shape in shapes]


@pytest.fixture(params=["native", "direct"])
def verbs(request):
    """The three, each with the operands that it takes of x, weight, bias and y."""
    if request.param == "direct":
        pytest.importorskip("numba", reason="Numba is not installed")
    words = {**WORDS, "algorithm": request.param}
    back = partial(upconv.conv_weight, kernel_size=(5, 4), **words)
    return {
        "conv_transpose": (partial(upconv.conv_transpose, **words), (0, 1, 2)),
        "conv": (partial(upconv.conv, **words), (3, 1)),
        "conv_weight": (back, (0, 3)),
    }


def check(torch, found, call, taken):
    expected = call(*(array.double() for array in taken), algorithm="generic")
    torch.testing.assert_close(found.double(), expected, rtol=torch.finfo(found.dtype).eps, atol=3e-4)


@pytest.mark.value
@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
def test_parts_come_to_the_whole(torch, operands, verbs, verb):
    call, which = verbs[verb]
    taken = [operands[n] for n in which]
    for narrow in (taken, [array.bfloat16() for array in taken]):
        found = call(*narrow)
        assert found.dtype == narrow[0].dtype
        check(torch, found, call, narrow)
    formatted = [array.contiguous(memory_format=torch.channels_last) if array.ndim > 3 else array for array in taken]
    found = call(*formatted)
    check(torch, found, call, taken)
    assert verb == "conv_weight" or found.is_contiguous(memory_format=torch.channels_last)
    one = [array[:1] if len(array) == len(operands[0]) else array for array in taken]
    check(torch, call(*one), call, one)


@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
def test_few_images_are_wide_at_once(torch, operands, verbs, verb, monkeypatch):
    from torch.utils._python_dispatch import TorchDispatchMode

    from upconv._lower._torch import _watch

    monkeypatch.setattr(_watch, "is_watched", lambda: False)  # the mode that counts shall see what is done without it
    made = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            made.extend(
                t.numel() for t in torch.utils._pytree.tree_leaves(found) if getattr(t, "dtype", 0) == torch.float32
            )
            return found

    call, which = verbs[verb]
    with Watch():
        call(*(operands[n] for n in which))
    assert max(made) <= LARGEST


def test_a_part_is_one_image_at_least(monkeypatch):
    from upconv._lower._torch import _own

    plan = make_plan(
        in_channels=6, out_channels=8, groups=2, size=(9, 14), kernel=(5, 4), stride=(2, 3), dilation=(1, 1),
        out=(20, 40), lo=(1, 2), channels_last=False,
    )  # fmt: skip
    assert [_own.images_at_a_time(plan, batch) for batch in (0, 1, 2, 3, 5, 6)] == [0, 1, 2, 2, 2, 2]
    monkeypatch.setattr(_own, "PART", 1)
    assert _own.images_at_a_time(plan, 5) == 1
    monkeypatch.setattr(_own, "PART", 2**30)
    assert _own.images_at_a_time(plan, 5) == 5


def test_derivatives_of_parts(torch, operands, verbs):
    """Of the first and the second order, beside those of the generic algorithm in float64."""
    x, weight, bias, y = operands
    found = []
    for algorithm, narrow in ((verbs["conv"][0].keywords["algorithm"], True), ("generic", False)):
        leaves = [(a if narrow else a.double()).clone().requires_grad_() for a in (x, weight, bias)]
        given = y if narrow else y.double()
        first = torch.autograd.grad(
            upconv.conv_transpose(*leaves, **WORDS, algorithm=algorithm), leaves, given / 16, create_graph=True
        )
        second = torch.autograd.grad(first[0].sum() + (first[1] / 64).sum(), leaves[:2])
        found.append([array.detach().double() for array in (*first, *second)])
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours, exact, rtol=2e-3, atol=2e-3 * float(exact.abs().max()))


def test_derivatives_of_the_weights_parts(torch, operands, verbs):
    """Parts are added up in place, which autograd has to know of."""
    (call, which), found = verbs["conv_weight"], []
    for how in (call, partial(call, algorithm="generic")):
        leaves = [operands[n].clone() for n in which]
        leaves = [(a if how is call else a.double()).requires_grad_() for a in leaves]
        weight = how(*leaves)
        found.append([a.double() for a in torch.autograd.grad((weight * weight.detach()).sum() / 4096, leaves)])
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours, exact, rtol=4e-3, atol=4e-3 * float(exact.abs().max()))


def test_whoever_looks_on(torch, operands, verbs):
    x, weight, bias, _ = operands
    call = verbs["conv_transpose"][0]
    expected = call(x, weight, bias)
    mapped = torch.func.vmap(call, in_dims=(None, 0, None))(x, torch.stack([weight, 2 * weight]), bias)
    torch.testing.assert_close(mapped[0], expected)
    torch._dynamo.reset()
    compiled = torch.compile(call, fullgraph=True, backend="eager", dynamic=True)
    for images in (x, x[:3]):
        torch.testing.assert_close(compiled(images, weight, bias), expected[: len(images)])
