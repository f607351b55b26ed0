"""PyTorch's own transforms around the call: derivatives of every mode and order, `torch.func`, autocast."""

import importlib
import warnings
from functools import partial
from itertools import product

import pytest

import upconv

# Small, because each sample of each operand is moved twice; unequal on every axis. What PyTorch's op cannot say,
# `remains` after it: crops that are larger in front, or behind, and zeros that are appended.
GEOMETRIES = {
    "stride-and-dilation": (
        (2, 2, 2, 3),
        (2, 3, 3, 2),
        {"stride": (2, 3), "dilation": (3, 2), "padding": (1, 2), "output_padding": (2, 0)},
    ),
    "crop-behind": ((1, 2, 3, 2), (2, 2, 2, 3), {"stride": 2, "padding": ((0, 2), (0, 1))}),
    "grow-and-crop": ((1, 2, 2, 3), (2, 1, 2, 3), {"stride": (2, 3), "padding": ((-2, 3), (5, -4))}),
    "groups": ((1, 4, 2, 3), (4, 3, 2, 1), {"groups": 2, "stride": (1, 2)}),
    "depthwise": ((1, 3, 2, 3), (3, 1, 3, 2), {"groups": 3, "stride": 2, "padding": ((1, 0), (0, 1))}),
    "channels-last": ((1, 2, 3, 3), (3, 2, 3, 2), {"stride": (2, 1), "data_format": "channels_last"}),
    "no-batch": ((2, 2, 3), (2, 2, 2, 3), {"padding": "same", "stride": 2}),
    "1d": ((2, 3, 4), (3, 2, 5), {"stride": 3, "padding": ((1, 3),)}),
    "3d": ((1, 2, 2, 1, 3), (2, 1, 2, 3, 1), {"stride": (2, 1, 3), "padding": ((0, 1), (1, 0), (0, -2))}),
}


@pytest.fixture(params=GEOMETRIES)
def geometry(request):
    return GEOMETRIES[request.param]


@pytest.fixture(autouse=True)
def one_thread(torch):
    """Threads that wait for one another take most of the time of operands this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["conv_transpose", "conv"])
def verb(request):
    return request.param


@pytest.fixture
def operands(torch, geometry, verb):
    x, weight, bias = draw(torch, *geometry)
    if verb == "conv_transpose":
        return x, weight, bias
    return (
        torch.randn(upconv.output_shape(*geometry[:2], **geometry[2]), dtype=x.dtype),
        weight,
        weight[:, 0].flatten(1).sum(1),
    )


@pytest.fixture
def call(geometry, verb, algorithm):
    arguments = {name: value for name, value in geometry[2].items() if verb != "conv" or name != "output_padding"}
    return partial(getattr(upconv, verb), **arguments, algorithm=algorithm)


def draw(torch, x, weight, arguments, dtype=None):
    """Random x, weight and bias."""
    generator = torch.Generator().manual_seed(7)
    shapes = x, weight, (weight[1] * arguments.get("groups", 1),)
    return tuple(torch.randn(shape, generator=generator, dtype=dtype or torch.float64) for shape in shapes)


@pytest.fixture
def forward_mode(torch):
    """PyTorch warns at its own use of `torch.jit.script`, once, when forward mode is first used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._decomp.decompositions_for_jvp")


def test_derivatives_in_both_modes(torch, forward_mode, call, operands):
    operands = [a.requires_grad_() for a in operands]
    modes = {"check_forward_ad": True, "check_batched_grad": True, "check_batched_forward_grad": True}
    assert torch.autograd.gradcheck(call, operands, **modes)


def test_derivatives_without_bias(torch, call, operands):
    assert torch.autograd.gradcheck(call, [a.requires_grad_() for a in operands[:2]], fast_mode=True)


def test_second_derivatives(torch, forward_mode, call, operands):
    operands = [a.requires_grad_() for a in operands]
    # Fast: products with random vectors in place of whole Jacobians, of which the second has thousands of entries.
    modes = {"check_fwd_over_rev": True, "check_rev_over_rev": True, "fast_mode": True}
    assert torch.autograd.gradgradcheck(call, operands, **modes)


def test_any_subset_may_require_gradients(torch, call, operands):
    cotangent = torch.randn_like(call(*operands))
    whole = torch.autograd.grad(call(*[a.requires_grad_() for a in operands]), operands, cotangent)
    for wanted in product([True, False], repeat=3):
        some = [a.detach().requires_grad_(want) for a, want in zip(operands, wanted, strict=True)]
        y = call(*some)
        assert y.requires_grad == any(wanted)
        if any(wanted):
            y.backward(cotangent)
        for a, want, expected in zip(some, wanted, whole, strict=True):
            assert (a.grad is not None) == want
            if want:
                torch.testing.assert_close(a.grad, expected)


@pytest.mark.parametrize("mapped", [mapped for mapped in product([True, False], repeat=3) if any(mapped)])
def test_vmap(torch, call, operands, mapped):
    # Along the last axis, which no operand has as its batch.
    stacked = [torch.stack([a, -2 * a, a + 1], dim=-1) if many else a for a, many in zip(operands, mapped, strict=True)]
    y = torch.func.vmap(call, in_dims=tuple(-1 if many else None for many in mapped), out_dims=1)(*stacked)
    for n in range(3):
        one = [a[..., n] if many else a for a, many in zip(stacked, mapped, strict=True)]
        torch.testing.assert_close(y[:, n], call(*one))


def test_functional_derivatives_agree(torch, forward_mode, call, operands):
    tangents = [torch.randn_like(a) for a in operands]
    y, tangent = torch.func.jvp(call, operands, tuple(tangents))
    result, pullback = torch.func.vjp(call, *operands)
    cotangent = torch.randn_like(y)
    torch.testing.assert_close(result, y)
    paired = sum((g * v).sum() for g, v in zip(pullback(cotangent), tangents, strict=True))
    torch.testing.assert_close((cotangent * tangent).sum(), paired)
    for number in range(3):
        reverse = torch.func.jacrev(call, number)(*operands)
        torch.testing.assert_close(torch.func.jacfwd(call, number)(*operands), reverse)


def test_second_order_of_functions(torch, forward_mode, call, operands):
    def energy(x, weight):
        return (call(x, weight) ** 2).sum() / 2

    x, weight, _ = operands
    jacobian = torch.func.jacrev(call)(x, weight).reshape(-1, x.numel())
    hessian = torch.func.hessian(energy)(x, weight).reshape(x.numel(), x.numel())
    torch.testing.assert_close(hessian, jacobian.mT @ jacobian)  # the call is linear in x
    mixed = torch.func.jacrev(torch.func.jacfwd(energy, 1), 0)(x, weight)
    torch.testing.assert_close(mixed, torch.func.jacfwd(torch.func.jacrev(energy, 1), 0)(x, weight))


def test_gradients_of_each_image(torch, forward_mode, algorithm):
    x, weight, arguments = GEOMETRIES["stride-and-dilation"]
    images, weight, _ = draw(torch, x, weight, arguments)
    loss = partial(upconv.conv_transpose, **arguments, algorithm=algorithm)
    each = torch.func.vmap(torch.func.grad(lambda w, x: loss(x, w).square().sum()), in_dims=(None, 0))(weight, images)
    for n, image in enumerate(images):
        leaf = weight.clone().requires_grad_()
        (expected,) = torch.autograd.grad(loss(image, leaf).square().sum(), leaf)
        torch.testing.assert_close(each[n], expected)


def test_gradients_of_strided_and_permuted_arrays(torch, call, operands):
    def permuted(a):
        return a.permute(*reversed(range(a.ndim))).contiguous().permute(*reversed(range(a.ndim)))

    def strided(a):
        return a.repeat_interleave(2, -1)[..., ::2]

    packed = torch.func.grad(lambda *arrays: call(*arrays).square().sum(), argnums=(0, 1, 2))
    expected = packed(*operands)
    for change in (permuted, strided):
        for ours, theirs in zip(packed(*map(change, operands)), expected, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_parameters_and_subclasses(torch, call, operands):
    class Named(torch.Tensor):
        pass

    x, weight, bias = operands
    expected = call(x, weight, bias)
    weight, bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    y = call(x.as_subclass(Named), weight, bias)
    assert type(y) is Named
    torch.testing.assert_close(y.as_subclass(torch.Tensor), expected)
    y.sum().backward()
    assert weight.grad.abs().sum() > 0


EMPTY = {
    "no-images": ((0, 2, 3, 2), (2, 3, 2, 2), {}),
    "no-samples": ((2, 3, 0, 2), (3, 2, 2, 3), {}),
    "no-channels-in": ((2, 0, 3, 2), (0, 2, 2, 3), {"stride": 2}),
    "no-channels-out": ((2, 3, 3, 2), (3, 0, 2, 3), {}),
    "no-output": ((1, 3, 3, 2), (3, 2, 2, 3), {"padding": (2, 0)}),
    "nothing-reached": ((1, 2, 3, 2), (2, 3, 2, 2), {"padding": ((9, -9), (0, 0))}),
}


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("algorithm", ["auto", "generic"])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_reaches_nothing_has_gradients_of_zero(torch, name, algorithm, compiled):
    x, weight, arguments = EMPTY[name]
    x, weight, bias = (a.requires_grad_() for a in draw(torch, x, weight, arguments))
    if algorithm == "generic":
        weight.detach().fill_(torch.inf)  # 0 * inf would be NaN
    call = partial(upconv.conv_transpose, **arguments, algorithm=algorithm)
    if compiled:
        torch._dynamo.reset()
        call = torch.compile(call, fullgraph=True, backend="aot_eager")
    y = call(x, weight, bias)
    torch.testing.assert_close(y, bias.reshape(-1, 1, 1).expand(y.shape))
    grads = torch.autograd.grad(y.sum(), (x, weight, bias))
    torch.testing.assert_close(grads[:2], (torch.zeros_like(x), torch.zeros_like(weight)))
    torch.testing.assert_close(grads[2], torch.full_like(bias, y[:, :1].numel()))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("x_dtype", ["float32", "bfloat16", "float16"])
def test_autocast(torch, geometry, algorithm, dtype, x_dtype):
    # x comes out of another op of the region, or from outside; the weights are a module's own.
    dtype = getattr(torch, dtype)
    x, weight, bias = draw(torch, *geometry, dtype=torch.float32)
    x, weight, bias = x.to(getattr(torch, x_dtype)), weight.requires_grad_(), bias.requires_grad_()
    call = partial(upconv.conv_transpose, **geometry[2], algorithm=algorithm)
    with torch.autocast("cpu", dtype):
        y = call(x, weight, bias)
    expected = call(*(a.to(dtype) for a in (x, weight, bias)))
    assert y.dtype == dtype
    torch.testing.assert_close(y, expected, rtol=0, atol=0)  # the same sums, rounded once
    y.float().sum().backward()
    assert weight.grad.dtype == bias.grad.dtype == torch.float32


def test_autocast_gives_the_dtype_of_the_op(torch, algorithm):
    x, weight, _ = draw(torch, (1, 2, 3, 4), (2, 3, 2, 2), {})
    dtypes = ["float64", "float32", "float16"]
    for dtype in dtypes if algorithm in ("direct", "overlap_add") else [*dtypes, "complex128", "int64"]:
        a, b = x.to(getattr(torch, dtype)), weight.to(getattr(torch, dtype))
        with torch.autocast("cpu", torch.bfloat16):
            assert upconv.conv_transpose2d(a, b, algorithm=algorithm).dtype == torch.conv_transpose2d(a, b).dtype
            with torch.autocast("cpu", enabled=False):
                assert upconv.conv_transpose2d(a, b, algorithm=algorithm).dtype == a.dtype


def test_the_device_of_new_arrays_is_that_of_the_call(torch, algorithm):
    x, weight, bias = draw(torch, (2, 4, 5, 7), (4, 3, 3, 2), {}, torch.float32)
    expected = upconv.conv_transpose2d(x, weight, bias, stride=(2, 3), algorithm=algorithm)
    with torch.device("meta"):  # where a program asks for arrays without a word about the device
        y = upconv.conv_transpose2d(x, weight, bias, stride=(2, 3), algorithm=algorithm)
    torch.testing.assert_close(y, expected)


def test_autocast_compiled(torch, algorithm):
    x, weight, bias = draw(torch, (1, 2, 3, 4), (2, 3, 2, 2), {}, torch.float32)
    torch._dynamo.reset()
    call = partial(upconv.conv_transpose2d, algorithm=algorithm)
    compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(x.bfloat16(), weight, bias), call(x, weight, bias))
    torch.testing.assert_close(compiled(x, weight, bias), call(x, weight, bias))


def test_mixed_dtypes_are_refused_where_nothing_casts(torch):
    x, weight, _ = draw(torch, (1, 2, 3, 4), (2, 3, 2, 2), {}, torch.float32)
    with pytest.raises(TypeError, match="`x` has dtype bfloat16 and `weight` has float32"):
        upconv.conv_transpose2d(x.bfloat16(), weight)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(TypeError, match="`weight` has bfloat16"):
        upconv.conv_transpose2d(x.double(), weight)  # as PyTorch's own op, which leaves float64 alone
