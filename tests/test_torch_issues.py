"""Bugs filed against PyTorch's own transposed convolutions: the call that was wrong there is right here."""

import shutil
import warnings
from functools import partial

import pytest

import upconv


@pytest.fixture
def draw(torch):
    torch._dynamo.reset()
    generator = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(shape, generator=generator)


@pytest.fixture
def ways(torch, algorithm):
    """The call, and the ways in which PyTorch runs it without computing it, or computes it otherwise."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    call = partial(upconv.conv_transpose2d, algorithm=algorithm)

    def fake(*arrays, **arguments):
        with FakeTensorMode() as mode:
            return call(*map(mode.from_tensor, arrays), **arguments)

    def meta(*arrays, **arguments):
        return call(*(a.to("meta") for a in arrays), **arguments)

    return {"eager": call, "fake": fake, "meta": meta, "compiled": torch.compile(call, backend="aot_eager")}


def test_172711_channels_of_what_is_compiled(torch, draw, ways):
    # The op to which Inductor turns it took C_in for C_out when it was traced, and wrong channels came out silently.
    x, weight = draw(2, 3, 5, 5), draw(3, 7, 3, 3)
    shapes = {name: way(x, weight, stride=2, padding=1, output_padding=1).shape for name, way in ways.items()}
    assert set(shapes.values()) == {(2, 7, 10, 10)}, shapes


@pytest.mark.parametrize("memory_format", ["contiguous_format", "channels_last"])
def test_184026_strides_with_output_padding(torch, draw, algorithm, ways, memory_format):
    # C_in == C_out and an output_padding: the strides foretold were not those that came, and Inductor stopped.
    memory_format = getattr(torch, memory_format)
    x, weight = draw(2, 6, 4, 4).contiguous(memory_format=memory_format), draw(6, 6, 3, 3)
    del ways["meta"]  # which strides come is the device's choice, and meta is none
    made = {name: way(x, weight, stride=2, padding=1, output_padding=1) for name, way in ways.items()}
    assert len({y.stride() for y in made.values()}) == 1, {name: y.stride() for name, y in made.items()}
    if algorithm == "native":
        assert made["eager"].is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(made["compiled"], made["eager"])


def test_184026_with_inductor(torch, draw):
    if not shutil.which("g++"):
        pytest.skip("Inductor compiles C++ on a CPU, and g++ is missing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch's at its own use of `torch.jit.script_method`
        import torch._inductor.compile_fx
    call = partial(upconv.conv_transpose2d, stride=2, padding=1, output_padding=1)
    x, weight = draw(2, 6, 4, 4), draw(6, 6, 3, 3)
    with torch.no_grad():
        y = torch.compile(call, fullgraph=True)(x, weight)
    assert y.stride() == call(x, weight).stride()
    torch.testing.assert_close(y, call(x, weight))


def test_157909_an_output_of_size_zero(torch, draw, ways):
    # 171093, 185581, 195590 and 88647 too: an error on a CPU and where it is compiled, an empty tensor on a GPU.
    if ways["eager"].keywords["algorithm"] != "generic":
        pytest.skip("PyTorch's op does not take it")
    x, weight, bias = draw(1, 3, 2, 2), draw(3, 2, 2, 2), draw(2)
    for name, way in ways.items():
        y = way(x.requires_grad_(), weight, bias, stride=2, padding=2)
        assert (y.shape, y.requires_grad) == ((1, 2, 0, 0), True), name
    (gradient,) = torch.autograd.grad(ways["compiled"](x, weight, bias, stride=2, padding=2).sum(), x)
    assert not gradient.any()


@pytest.mark.parametrize("algorithm", ["auto"])  # arguments are read before one is chosen
@pytest.mark.parametrize("groups", [0, -1, -(2**63)])
def test_91549_groups_of_zero(draw, ways, groups):
    # 71080, 85111 and 49523 too: a division by zero that ended the process; on meta tensors, still no channels.
    for name, way in ways.items():
        with pytest.raises(Exception, match=f"`groups` must have every value at least 1, got {groups}") as caught:
            way(draw(1, 3, 4, 4), draw(3, 3, 3, 3), groups=groups)
        assert name == "compiled" or caught.type is ValueError


@pytest.mark.parametrize("algorithm", ["auto"])  # arguments are read before one is chosen
@pytest.mark.parametrize("batch", [0, 2])
def test_186524_output_padding_of_the_stride(draw, ways, batch):
    # 169236 and 178127 too: not looked at where the batch is empty, nor on meta and fake tensors.
    x, weight = draw(batch, 3, 4, 4), draw(3, 2, 3, 3)
    for way in ways.values():
        with pytest.raises(Exception, match="`output_padding` must be less than the larger of stride 2 and dilation 1"):
            way(x, weight, stride=2, output_padding=2)


def test_106450_the_length_that_the_input_had(torch, draw, algorithm):
    # 56328 and 95123 too: an even kernel at stride 1 keeps no length by any padding that the op has.
    x, weight = draw(2, 3, 9), draw(3, 5, 4)
    for arguments in ({"padding": "same"}, {"padding": 1, "output_size": 9}):
        y = upconv.conv_transpose1d(x, weight, **arguments, algorithm=algorithm)
        torch.testing.assert_close(y, torch.conv_transpose1d(x, weight)[..., 1:10])
