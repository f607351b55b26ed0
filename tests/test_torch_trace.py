"""`torch.jit.trace` and the exporter to ONNX made of it: PyTorch's own op, for any batch and size, and no warning."""

import io
import warnings
from contextlib import contextmanager

import numpy as np
import pytest

import upconv

WORDS = (
    {"stride": (2, 3)},
    {"stride": (3, 2), "padding": "same"},
    {"stride": (4, 5), "padding": "valid"},
    {"stride": 2, "padding": (1, 0), "output_padding": (0, 1), "groups": 2},
    {"stride": (2, 3), "padding": ((0, 1), (2, -1)), "dilation": (1, 2)},
)


@pytest.fixture(autouse=True)
def two(two_threads):
    """The number of threads that 'auto' takes the compiled loops at."""


@contextmanager
def strictly():
    """Every warning an error, but for PyTorch's that its tracer is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is")  # of a category that depends on its version
        yield


def trace(torch, function, *arrays):
    with strictly():
        return torch.jit.trace(function, arrays)


def drawn(torch, *shapes, dtype="float32"):
    generator = torch.Generator().manual_seed(3)
    return [torch.rand(shape, generator=generator, dtype=getattr(torch, dtype)) / 8 for shape in shapes]


# Not "generic": the sizes of its slices are constants of a trace, and 'auto' does not take it there.
ALGORITHMS = ("auto", "direct", "overlap_add", "native")


@pytest.mark.value
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("words", WORDS, ids=str)
def test_any_batch_and_size(torch, algorithm, words, grad):
    shape = (6, 4, 3, 4)
    x, larger, weight, bias = drawn(torch, (2, 6, 5, 7), (3, 6, 8, 4), shape, (4 * words.get("groups", 1),))

    def function(x, weight, bias):
        return upconv.conv_transpose2d(x, weight, bias, **words, algorithm=algorithm)

    with torch.set_grad_enabled(grad):
        traced = trace(torch, function, x, weight, bias)
        for image in (x, larger):
            torch.testing.assert_close(traced(image, weight, bias), function(image, weight, bias))


@pytest.mark.value
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_the_adjoint_of_any_batch_and_size(torch, algorithm, dtype, data_format):
    y, larger, weight = drawn(torch, (2, 8, 12, 19), (3, 8, 15, 22), (6, 4, 3, 4), dtype=dtype)
    if data_format == "channels_last":
        y, larger = y.movedim(1, -1), larger.movedim(1, -1)
    words = {"stride": (2, 3), "padding": ((0, 1), (2, -1)), "groups": 2, "data_format": data_format}

    def function(y, weight):
        return upconv.conv2d(y, weight, **words, algorithm=algorithm)

    traced = trace(torch, function, y, weight)
    torch.testing.assert_close(traced(larger, weight), function(larger, weight))


@pytest.mark.value
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 3])
def test_the_pullback(torch, rank, groups):
    """The derivatives by hand, of which the one by the weight is no op that the tracer knows."""
    words = {"stride": (2, 3, 2)[:rank], "padding": ((0, 1), (2, -1), (1, 0))[:rank], "groups": groups}
    words["dilation"] = (1, 2, 1)[:rank]

    def gradients(x, weight, cotangent):
        return upconv.vjp(x, weight, **words)[1](cotangent)[:2]

    def operands(batch, *size):
        weight_shape = (6, 4, 3, 2, 2)[: rank + 2]
        y_shape = upconv.output_shape((batch, 6, *size), weight_shape, **words)
        return drawn(torch, (batch, 6, *size), weight_shape, y_shape, dtype="float64")

    traced = trace(torch, gradients, *operands(2, *(5, 4, 3)[:rank]))
    others = operands(3, *(6, 7, 5)[:rank])
    torch.testing.assert_close(traced(*others), gradients(*others))


@pytest.mark.value
def test_without_a_batch(torch):
    x, larger, weight = drawn(torch, (6, 5, 7), (6, 8, 4), (6, 4, 3, 4))

    def function(x, weight):
        return upconv.conv_transpose2d(x, weight, stride=2)

    torch.testing.assert_close(trace(torch, function, x, weight)(larger, weight), function(larger, weight))


@pytest.fixture
def layer(torch):
    """A layer that is large enough for the compiled loops."""

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(drawn(torch, (256, 256, 2, 2))[0])

        def forward(self, x):
            return upconv.conv_transpose2d(x, self.weight, stride=2)

    return Layer()


@pytest.mark.parametrize("grad", [True, False])
def test_the_graph_is_one_convolution_of_its_input(torch, layer, grad):
    with torch.set_grad_enabled(grad):
        graph = trace(torch, layer, drawn(torch, (1, 256, 16, 16))[0]).graph
    kinds = [node.kind() for node in graph.nodes()]
    assert sum("convolution" in kind for kind in kinds) == 1
    assert all(kind.startswith("prim::") or "convolution" in kind for kind in kinds), kinds


@pytest.mark.value
@pytest.mark.parametrize("padding", [0, "same", ((0, 1), (2, -1))], ids=str)
def test_the_exporter_that_traces(torch, padding):
    pytest.importorskip("onnx", reason="onnx is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    x, larger, weight = drawn(torch, (1, 48, 16, 12), (3, 48, 9, 20), (48, 32, 3, 4))
    module = torch.nn.Module()
    module.forward = lambda x: upconv.conv_transpose2d(x, weight, stride=(2, 3), padding=padding)
    axes = {"x": {0: "batch", 2: "height", 3: "width"}}
    written = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch's, of this exporter
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is")  # and of the tracer in it
        warnings.filterwarnings("ignore", message="Constant folding")  # and of any padding in it
        torch.onnx.export(module, (x,), written, dynamo=False, input_names=["x"], dynamic_axes=axes)
    session = onnxruntime.InferenceSession(written.getvalue(), providers=["CPUExecutionProvider"])
    for image in (x, larger):
        (found,) = session.run(None, {"x": image.numpy()})
        np.testing.assert_allclose(found, module.forward(image).numpy(), rtol=1e-4, atol=1e-5)
