"""PyTorch's modes, tracers, wrappers and freed storages: whoever looks on sees PyTorch's own op, with all its operands.

The loops that Numba compiles, and the tiles, work in ways that no mode can see; here each mode is shown to see an op.
"""

import warnings
from functools import partial
from importlib import import_module

import pytest

import upconv

WORDS = {"stride": (2, 3), "padding": ((1, 0), (2, -1)), "groups": 2}
OURS = ("direct", "overlap_add")
# Modules in which PyTorch defines modes; another version may lack one.
MODULES = (
    "torch.utils.flop_counter",
    "torch.utils.checkpoint",
    "torch.utils._device",
    "torch._subclasses.fake_tensor",
    "torch._subclasses.functional_tensor",
    "torch.fx.experimental.proxy_tensor",
    "torch.testing._internal.logging_tensor",
    "torch.utils._debug_mode",
    "torch.distributed._tools.mem_tracker",
)


@pytest.fixture(autouse=True)
def two(two_threads):
    """The number of threads that 'auto' takes the compiled loops at."""


@pytest.fixture
def watch(torch):
    return import_module("upconv._lower._torch._watch")


def drawn(torch, dtype="float32"):
    generator = torch.Generator().manual_seed(11)
    shapes = (2, 12, 9, 14), (12, 5, 4, 5), (10,)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(getattr(torch, dtype)) for shape in shapes]


def calls(torch, algorithm, dtype="float32"):
    """Each verb on three operands at most, and a function of PyTorch's for the same."""
    x, weight, bias = drawn(torch, dtype)
    words = {**WORDS, "algorithm": algorithm}
    y = upconv.conv_transpose(x, weight, **WORDS, algorithm="native")
    dx = bias.new_ones(12)
    return {
        "conv_transpose": (partial(upconv.conv_transpose, **words), (x, weight, bias)),
        "conv": (partial(upconv.conv, **words), (y, weight, dx)),
        "conv_weight": (lambda x, y: upconv.conv_weight(x, y, (4, 5), **words), (x, y)),
    }


def subclasses(kind):
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_every_mode_that_pytorch_has_is_seen(torch, watch):
    from torch import overrides
    from torch.utils import _python_dispatch as dispatch

    for module in MODULES:
        try:
            import_module(module)
        except ImportError:
            continue
    found = []
    for module, base in ((dispatch, dispatch.TorchDispatchMode), (overrides, overrides.TorchFunctionMode)):
        for kind in {base, *subclasses(base)}:
            assert not watch.is_watched()
            mode = kind.__new__(kind)  # none is asked to do anything
            module._push_mode(mode)
            try:
                assert watch.is_watched(), kind
            finally:
                if module is overrides:
                    module._pop_mode()
                else:
                    module._pop_mode(getattr(mode, "_dispatch_key", None) or getattr(mode, "_mode_key", None))
            found.append(kind.__name__)
    assert not watch.is_watched()
    # PyTorch 2.5's counter of products is a mode itself; later versions have a private one for it.
    names = {name.lstrip("_") for name in found}
    assert {"FlopCounterMode", "FakeTensorMode", "ProxyTorchDispatchMode", "DeviceContext"} <= names


def inside(torch, seen, watch):
    """Run a function that notes whether it is watched, in each context and transform that is no mode's."""
    note = lambda x: (seen.append(watch.is_watched()), x.sum())[1]  # noqa: E731
    x = torch.ones(3)
    yield "vmap", lambda: torch.func.vmap(note)(torch.ones(2, 3))
    yield "grad", lambda: torch.func.grad(note)(x)
    yield "jvp", lambda: torch.func.jvp(note, (x,), (x,))
    yield "functionalize", lambda: torch.func.functionalize(note)(x)
    yield "jit.trace", lambda: torch.jit.trace(note, (x,), check_trace=False)

    def dual():
        with torch.autograd.forward_ad.dual_level():
            note(x)

    yield "forward mode", dual

    def dispatcher():
        with torch._dispatch.python.enable_python_dispatcher():
            note(x)

    yield "Python dispatcher", dispatcher


def test_what_is_no_mode_is_seen_too(torch, watch):
    import torch._dispatch.python

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is")  # PyTorch's; it differs in category
        seen = []
        for name, run in inside(torch, seen, watch):
            seen.clear()
            run()
            assert seen == [True], name
    for context in (torch.no_grad, torch.inference_mode, torch.enable_grad, partial(torch.autocast, "cpu")):
        with context():
            assert not watch.is_watched(), context


def test_wrapped_tensors_are_not_memory(torch, watch):
    x = torch.randn(2, 3)
    plain = [x, torch.nn.Parameter(x), x.mT, x[:, ::2], torch.complex(x, x).conj().imag, torch.empty(0, 3)]
    assert all(map(watch.is_plain, plain))
    wrapped = [
        torch._to_functional_tensor(x),
        torch._efficientzerotensor(3),
        x.to_sparse(),
        x.to("meta"),
        torch.nn.Buffer(x).as_subclass(type("Mine", (torch.Tensor,), {}))
        if hasattr(torch.nn, "Buffer")
        else x.to("meta"),
    ]
    assert not any(map(watch.is_plain, wrapped))


@pytest.mark.value
@pytest.mark.parametrize("verb", ["conv_transpose", "conv", "conv_weight"])
@pytest.mark.parametrize(
    "mode, dtype", [("real", "float32"), ("real", "bfloat16"), ("fake", "float64"), ("symbolic", "float32")]
)
def test_make_fx_holds_what_fills_the_result(torch, algorithm, verb, dtype, mode):
    from torch.fx.experimental.proxy_tensor import make_fx

    function, operands = calls(torch, algorithm, dtype)[verb]
    graph = make_fx(function, tracing_mode=mode)(*operands)
    others = [operand.flip(0).contiguous() for operand in operands]
    # Rounding in float32 differs between a graph of the own op and another algorithm; of bfloat16 it is the last bit.
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if dtype == "bfloat16" else {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(graph(*others), function(*others), **tolerance)


@pytest.mark.value
@pytest.mark.parametrize("algorithm", ["auto", *OURS])
def test_make_fx_of_gradients(torch, algorithm):
    from torch.fx.experimental.proxy_tensor import make_fx

    def gradients(x, weight, bias):
        x, weight, bias = (operand.detach().requires_grad_() for operand in (x, weight, bias))
        y = upconv.conv_transpose(x, weight, bias, **WORDS, algorithm=algorithm)
        return torch.autograd.grad((y**2).sum(), (x, weight, bias))

    operands = drawn(torch, "float64")
    graph = make_fx(gradients)(*operands)
    others = [operand.flip(0).contiguous() for operand in operands]
    torch.testing.assert_close(graph(*others), gradients(*others))


@pytest.mark.parametrize("algorithm", ["auto", "native", *OURS])
def test_products_are_counted(torch, algorithm):
    from torch.utils.flop_counter import FlopCounterMode

    def count(convolve, shape):
        x, weight = torch.ones(2, 48, 20, 24, requires_grad=True), torch.ones(48, 40, 3, 4, requires_grad=True)
        with FlopCounterMode(display=False) as counter:
            convolve(x, weight).sum().backward()
        return counter.get_total_flops()

    shape = (2, 48, 20, 24)
    ours = count(partial(upconv.conv_transpose2d, stride=2, algorithm=algorithm), shape)
    assert ours == count(partial(torch.conv_transpose2d, stride=2), shape) > 0


@pytest.mark.parametrize("algorithm", ["auto", *OURS])
def test_selective_checkpointing_sees_a_convolution(torch, algorithm):
    from torch.utils import checkpoint

    seen = []

    def policy(ctx, op, *args, **kwargs):
        seen.append(op)
        is_convolution = op is torch.ops.aten.convolution.default
        return checkpoint.CheckpointPolicy.MUST_SAVE if is_convolution else checkpoint.CheckpointPolicy.PREFER_RECOMPUTE

    x, weight, _ = drawn(torch, "float64")
    leaves = [x.requires_grad_(), weight.requires_grad_()]
    function = partial(upconv.conv_transpose, **WORDS, algorithm=algorithm)
    contexts = partial(checkpoint.create_selective_checkpoint_contexts, policy)
    y = checkpoint.checkpoint(lambda *a: function(*a).sin(), *leaves, use_reentrant=False, context_fn=contexts)
    assert torch.ops.aten.convolution.default in seen
    found = torch.autograd.grad(y.sum(), leaves)
    torch.testing.assert_close(found, torch.autograd.grad(function(*leaves).sin().sum(), leaves))


@pytest.mark.parametrize("algorithm", ["auto", *OURS])
def test_fake_tensors_of_real_operands(torch, algorithm):
    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

    for function, operands in calls(torch, algorithm).values():
        expected = function(*operands).shape
        with FakeTensorMode(allow_non_fake_inputs=True):
            found = function(*operands)
        assert isinstance(found, FakeTensor)
        assert found.shape == expected


def test_a_call_under_a_mode_is_not_remembered_for_others(torch):
    from torch.utils.flop_counter import FlopCounterMode

    x, weight = torch.ones(2, 48, 40, 40), torch.ones(48, 48, 3, 3)
    call = partial(upconv.conv_transpose2d, x, weight, stride=2)
    for _ in range(2):
        with FlopCounterMode(display=False) as counter:
            call()
            assert upconv.explain(x, weight, stride=2).algorithm == "native"
        assert counter.get_total_flops() > 0
        call()


def test_a_freed_storage_is_not_read(torch, watch, algorithm):
    """FSDP frees a parameter by resizing its storage; NumPy would be given the address that it had."""
    x, weight, _ = drawn(torch)
    weight.untyped_storage().resize_(96)
    assert not watch.is_plain(x, weight)
    weight.untyped_storage().resize_(0)
    assert not watch.is_plain(x, weight)
    with pytest.raises(RuntimeError, match=r"storage|not allocated"):
        upconv.conv_transpose(x, weight, **WORDS, algorithm=algorithm)


def test_the_number_of_threads_is_part_of_a_remembered_call(torch):
    pytest.importorskip("numba", reason="Numba is not installed")
    from upconv import _calls

    x, weight = torch.ones(2, 48, 40, 40), torch.ones(48, 48, 3, 3)
    for threads, algorithm in ((2, "direct"), (8, "native"), (2, "direct")):
        torch.set_num_threads(threads)
        for _ in range(2):
            upconv.conv_transpose2d(x, weight, stride=2)
        assert upconv.explain(x, weight, stride=2).algorithm == algorithm
        key, found = _calls.recall(
            "conv_transpose", 2, ("auto", 2, 0, 0, 1, 1, None, "channels_first"), x, weight, None
        )
        assert found[0].__module__.endswith(algorithm) or algorithm == "native", found
        assert key[2][-2] == threads
