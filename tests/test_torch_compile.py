"""`torch.compile`, `torch.export`, fake and meta tensors: one graph, no warning, no second compilation for a batch."""

import shutil
import warnings
from functools import partial

import pytest

import upconv
from cases import CASES, Case
from upconv import _calls, _libraries, _plans

CHOSEN = [case for case in CASES if case.name in ("pairs", "pairs-negative", "groups", "1d", "3d-dilated")]
PAIRS = next(case for case in CASES if case.name == "pairs")
# Few taps, for what takes long to compile; a crop that PyTorch's op cannot say.
SHORT = Case("1d-behind", (2, 3, 7), (3, 4, 3), (0,), (13,), {"stride": 2, "padding": ((0, 2),)})
# Sizes that are no other size of those cases: dynamic=True gives equal sizes one symbol.
BATCHES = (8, 9, 11)


@pytest.fixture
def dynamo(torch, request):
    """Dynamo and upconv without what they know already; to compile one function twice is an error."""
    if "algorithm" in request.fixturenames and request.getfixturevalue("algorithm") == "direct":
        pytest.skip("to a compiler it is what overlap_add is, PyTorch's own op: test_torch_direct.py compiles it once")
    torch._dynamo.reset()
    for memory in (
        _plans._PLANS,
        _calls._CALLS,
        _libraries._OWNERS,
        _libraries._LOWERINGS,
        _libraries._DTYPE_NAMES,
    ):
        memory.clear()
    with torch._dynamo.config.patch(error_on_recompile=True):
        yield torch._dynamo
    torch._dynamo.reset()


def call(case, algorithm, data_format="channels_first"):
    return partial(upconv.conv_transpose, **case.arguments, data_format=data_format, algorithm=algorithm)


def draw(torch, case, batch=None, data_format="channels_first"):
    x, weight, bias = map(torch.from_numpy, case.arrays("float32"))
    x = x if batch is None else torch.cat([x] * batch)[:batch]
    return (x.movedim(1, -1) if data_format == "channels_last" else x), weight, bias


@pytest.mark.parametrize(
    "case, data_format", [*((case, "channels_first") for case in CHOSEN), (PAIRS, "channels_last")]
)
def test_one_graph(torch, dynamo, case, algorithm, data_format):
    function = call(case, algorithm, data_format)
    x, weight, bias = draw(torch, case, data_format=data_format)
    compiled = torch.compile(function, fullgraph=True, backend="eager")
    # PyTorch's own op stands in for these, which add in another order.
    exact = {} if algorithm in ("direct", "overlap_add") else {"rtol": 0, "atol": 0}
    torch.testing.assert_close(compiled(x, weight, bias), function(x, weight, bias), **exact)


def test_one_graph_without_batch_and_bias(torch, dynamo, algorithm):
    x, weight, _ = draw(torch, PAIRS)
    compiled = torch.compile(call(PAIRS, algorithm), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x[1], weight), call(PAIRS, algorithm)(x[1], weight))


@pytest.mark.parametrize("case", [case for case in CHOSEN if case.name in ("pairs", "groups", "1d")], ids=str)
def test_one_compilation_for_every_batch(torch, dynamo, case, algorithm):
    function = call(case, algorithm)
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="eager")
    for batch in BATCHES:
        arrays = draw(torch, case, batch)
        torch.testing.assert_close(compiled(*arrays), function(*arrays))


def test_two_compilations_where_dynamo_finds_out_what_changes(torch, dynamo, algorithm):
    torch._dynamo.config.error_on_recompile = False
    compiled = torch.compile(call(SHORT, algorithm), fullgraph=True, backend="eager")
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for batch in (2, 3, 4, 5):
        compiled(*draw(torch, SHORT, batch))
        call(SHORT, algorithm)(*draw(torch, SHORT, batch))  # what upconv remembers of it must not matter
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] - before == 2


def test_a_batch_marked_dynamic_stays_dynamic(torch, dynamo, algorithm):
    x, weight, bias = draw(torch, SHORT, 4)
    torch._dynamo.mark_dynamic(x, 0)  # Dynamo refuses, where the code would make a constant of it
    compiled = torch.compile(call(SHORT, algorithm), fullgraph=True, backend="eager")
    for images in (x, x[:3], x[:2]):
        torch.testing.assert_close(compiled(images, weight, bias), call(SHORT, algorithm)(images, weight, bias))


def test_a_second_compilation_would_be_seen(torch, dynamo):
    compiled = torch.compile(upconv.conv_transpose1d, fullgraph=True, backend="eager")
    x, weight, _ = draw(torch, SHORT)
    compiled(x, weight, stride=2)
    with pytest.raises(torch._dynamo.exc.RecompileError):
        compiled(x, weight, stride=3)


def test_two_geometries_in_one_graph(torch, dynamo, algorithm):
    # A decoder: its second layer has another geometry, and what it takes is of the first layer's making.
    def decoder(x, weight, bias):
        y = upconv.conv_transpose1d(x, weight, bias, 2, ((1, 0),), algorithm=algorithm).relu()
        return upconv.conv_transpose1d(y[:, :3], weight, bias, 3, padding="same", algorithm=algorithm)

    compiled = torch.compile(decoder, fullgraph=True, dynamic=True, backend="eager")
    for batch in BATCHES:
        torch.testing.assert_close(compiled(*draw(torch, SHORT, batch)), decoder(*draw(torch, SHORT, batch)))


@pytest.mark.parametrize("dynamic", [True, False])
def test_gradients_compiled(torch, dynamo, algorithm, dynamic):
    function = call(SHORT, algorithm)
    compiled = torch.compile(function, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for batch in BATCHES if dynamic else (2,):
        results = []
        for run in (function, compiled):
            arrays = [a.requires_grad_() for a in draw(torch, SHORT, batch)]
            results.append(torch.autograd.grad(run(*arrays).square().sum(), arrays))
        torch.testing.assert_close(results[1], results[0])


def test_transforms_inside_a_graph(torch, dynamo, algorithm):
    function = call(SHORT, algorithm)

    def gradients(x, weight, bias):
        def energy(weight, image):
            return function(image, weight, bias).square().sum()

        return torch.func.vmap(torch.func.grad(energy), in_dims=(None, 0))(weight, x)

    arrays = draw(torch, SHORT)
    compiled = torch.compile(gradients, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*arrays), gradients(*arrays))


@pytest.mark.parametrize("algorithm", ["native", "generic"])  # as native: it stands in for the third
def test_inductor(torch, dynamo, algorithm):
    if not shutil.which("g++"):
        pytest.skip("Inductor compiles C++ on a CPU, and g++ is missing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch's at its own use of `torch.jit.script_method`
        import torch._inductor.compile_fx
    results = []
    for run in (call(SHORT, algorithm), torch.compile(call(SHORT, algorithm), fullgraph=True)):
        arrays = [a.requires_grad_() for a in draw(torch, SHORT)]
        y = run(*arrays)
        results.append((y, *torch.autograd.grad(y.square().sum(), arrays)))
    torch.testing.assert_close(results[1], results[0])


class Layer:
    """Made late, because its base is PyTorch's."""

    def __new__(cls, torch, function, weight, bias):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.weight, self.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)

            def forward(self, x):
                return function(x, self.weight, self.bias)

        return Module()


@pytest.mark.parametrize("case", [case for case in CHOSEN if case.name in ("pairs", "groups")], ids=str)
@pytest.mark.parametrize("any_batch", [True, False])
def test_export(torch, dynamo, case, algorithm, any_batch):
    x, weight, bias = draw(torch, case)
    layer = Layer(torch, call(case, algorithm), weight, bias)
    shapes = ({0: torch.export.Dim("batch", min=2)},) if any_batch else None
    program = torch.export.export(layer, (x,), dynamic_shapes=shapes)
    for batch in (2, 5) if any_batch else (2,):
        images = draw(torch, case, batch)[0]
        torch.testing.assert_close(program.module()(images), layer(images))


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_meta_and_fake_tensors(torch, case, algorithm):
    from torch._subclasses.fake_tensor import FakeTensorMode

    arrays = draw(torch, case)
    y = call(case, algorithm)(*arrays)
    meta = call(case, algorithm)(*(a.to("meta") for a in arrays))
    assert meta.device.type == "meta"
    with FakeTensorMode() as mode:
        fake = call(case, algorithm)(*map(mode.from_tensor, arrays))
    assert fake.device == y.device
    for other in (meta, fake):
        assert (other.shape, other.dtype, other.stride()) == (y.shape, y.dtype, y.stride())
