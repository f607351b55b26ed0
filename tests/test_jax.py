"""The call inside JAX's transforms, by every algorithm: differentiated, mapped, compiled, scanned, sharded."""

import re
from functools import partial

import numpy as np
import pytest

import oracle
import upconv
from cases import CASES

BY_NAME = {case.name: case for case in CASES}
CASE, GROUPED = BY_NAME["pairs"], BY_NAME["groups"]
LAST = {"data_format": "channels_last"}
COLLECTIVES = re.compile(r"\b(all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\(")


@pytest.fixture
def jax(library):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    return pytest.importorskip("jax")


@pytest.fixture
def jnp(jax):
    return jax.numpy


def call(case, algorithm):
    """The case as a function of its arrays."""
    if algorithm == "native" and case.groups > 1:
        pytest.skip("jax.lax.conv_transpose has no groups")
    stride, dilation, *_ = case.geometry
    if algorithm == "sub_pixel" and any(s > 1 and d > 1 for s, d in zip(stride, dilation, strict=True)):
        pytest.skip("sub_pixel takes no stride and dilation on one axis")
    return lambda *arrays: upconv.conv_transpose(*arrays, **case.arguments, algorithm=algorithm)


@pytest.mark.parametrize("name", ["dilated-strided", "pairs-negative", "depthwise-multiplier", "1d", "3d"])
def test_derivatives_of_both_orders_and_modes(jax, jnp, algorithm, name):
    """Against the definition, exactly: a bilinear map's derivatives are itself and its two adjoints."""
    case = BY_NAME[name]
    function = call(case, algorithm)
    (x, w, b), (dx, dw, db) = (case.arrays(seed=seed) for seed in (0, 1))
    c = np.random.default_rng(2).standard_normal((case.x[0], len(b), *case.out))
    stride, dilation, groups, lo, _ = case.geometry

    def up(x, w, b=None):
        return oracle.conv_transpose(x, w, b, *case.geometry)

    def down(c, w):
        return oracle.conv(c, w, None, stride, dilation, groups, lo, case.x[2:])

    def across(x, c):
        return oracle.conv_weight(x, c, case.weight[2:], stride, dilation, groups, lo)

    def forward(*at):
        return jax.jvp(function, at, (dx, dw, db))[1]

    def along(*at):
        """The derivative in the direction of the point itself, in which both factors of a term vary."""
        return jax.jvp(function, at, at)[1]

    def back(x, w, c):
        return jax.vjp(function, x, w, b)[1](c)[:2]

    @jax.jit
    def derivatives(x, w, b, dx, dw, db, c):
        first, second = jax.jvp(forward, (x, w, b), (dx, dw, db))
        pulled, moved = jax.jvp(back, (x, w, c), (dx, dw, c))
        _, both = jax.jvp(along, (x, w, b), (dx, dw, db))
        return first, second, *pulled, *moved, *jax.vjp(back, x, w, c)[1]((dx, dw)), both

    right = (
        up(dx, w) + up(x, dw, db),
        2 * up(dx, dw),
        down(c, w),
        across(x, c),
        down(c, w + dw),
        across(x + dx, c),
        down(c, dw),
        across(dx, c),
        up(dx, w) + up(x, dw),
        2 * up(dx, w) + up(x, dw) + up(x, dw, db),
    )
    for ours, exact in zip(derivatives(*map(jnp.asarray, (x, w, b, dx, dw, db, c))), right, strict=True):
        np.testing.assert_allclose(ours, exact, atol=1e-12)


@pytest.mark.parametrize("mapped", [(0,), (1,), (0, 1, 2)], ids=str)
def test_mapped_over_any_operands(jax, jnp, algorithm, mapped):
    case = CASE if algorithm == "native" else GROUPED
    one, two = (case.arrays(seed=seed) for seed in (0, 1))
    both = [
        jnp.stack(pair) if n in mapped else jnp.asarray(pair[0]) for n, pair in enumerate(zip(one, two, strict=True))
    ]
    y = jax.jit(jax.vmap(call(case, algorithm), [0 if n in mapped else None for n in range(3)]))(*both)
    for k, arrays in enumerate((one, two)):
        chosen = [arrays[n] if n in mapped else one[n] for n in range(3)]
        np.testing.assert_allclose(y[k], oracle.conv_transpose(*chosen, *case.geometry), atol=1e-13)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_halves_are_added_wide(jax, jnp, algorithm, dtype):
    """As of the float32 call on the same numbers, but for one rounding; JAX once refused to mix the two types."""
    function = call(CASE, algorithm)
    arrays = [jnp.asarray(a).astype(dtype) for a in CASE.arrays("float32")]
    target = jnp.asarray(np.random.default_rng(0).integers(-4, 5, (2, 3, 7, 9))).astype(dtype)

    def gradients(*arrays):
        return jax.vjp(function, *arrays)[1](target.astype(arrays[0].dtype))

    found, wide = (jax.jit(gradients)(*(a.astype(t) for a in arrays)) for t in (dtype, "float32"))
    for ours, right in zip(found, wide, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(
            ours.astype("float32"), right, rtol=float(jnp.finfo(dtype).eps), atol=1e-5 * float(abs(right).max())
        )


def test_checkpoint_donation_shapes_and_a_scan(jax, jnp, algorithm):
    """A decoder that carries its image through layers of one shape."""
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((4, 3, 3, 3, 2))
    arguments = {"padding": ((1, 1), (0, 1)), "algorithm": algorithm}
    layer = partial(upconv.conv_transpose2d, **arguments)

    def decoder(x, weights, layer=layer):
        return jax.lax.scan(lambda x, weight: (jnp.tanh(layer(x, weight)), None), x, weights)[0]

    expected = x
    for weight in weights:
        expected = np.tanh(oracle.conv_transpose(expected, weight, None, (1, 1), (1, 1), 1, (1, 0), (5, 4)))
    x, weights = jnp.asarray(x), jnp.asarray(weights)
    assert jax.eval_shape(decoder, x, weights).shape == x.shape

    def loss(layer):
        return lambda x, weights: jnp.sum(decoder(x, weights, layer) ** 2)

    plain = jax.jit(jax.grad(loss(layer), (0, 1)))(x, weights)
    for ours, right in zip(jax.jit(jax.grad(loss(jax.checkpoint(layer)), (0, 1)))(x, weights), plain, strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-12)
    donated = jax.jit(decoder, donate_argnums=0)(x + 0, weights)
    np.testing.assert_allclose(donated, expected, atol=1e-13)


def test_zeros_that_no_tap_reaches_lie_where_the_operands_do(jax, jnp, algorithm):
    place = jax.devices()[1]
    x, weight = (jax.device_put(jnp.ones(shape), place) for shape in ((2, 3, 1, 1), (3, 2, 1, 1)))
    words = {"padding": ((0, 0), (-1, 1)), "algorithm": algorithm}
    y = upconv.conv_transpose2d(x, weight, **words)
    results = y, upconv.conv2d(y, weight, **words), upconv.conv_weight(x, y, (1, 1), **words)
    for result in results:
        assert result.device == place
        assert not result.any()


def test_arguments_are_static_and_the_algorithm_is_chosen_while_tracing(jax, jnp):
    x, weight, _ = map(jnp.asarray, CASE.arrays())
    words = ("stride", "padding", "output_padding", "groups", "dilation", "output_size", "data_format", "algorithm")
    jitted = jax.jit(upconv.conv_transpose2d, static_argnames=words)
    y = jitted(x, weight, stride=2, padding=((0, 2), (2, 1)))
    np.testing.assert_allclose(y, call(CASE, "generic")(x, weight), atol=1e-13)
    chosen = []
    jax.jit(lambda x, weight: chosen.append(upconv.explain(x, weight, **CASE.arguments)))(x, weight)
    assert chosen == [upconv.explain(x, weight, **CASE.arguments)]


def test_auto_leaves_stride_1_to_the_op_of_xla(jax, jnp):
    x, weight, few = jnp.ones((1, 8, 9, 7)), jnp.ones((8, 8, 3, 3)), jnp.ones((8, 3, 3, 3))
    found = upconv.explain(x, weight)
    assert found.algorithm == "native"
    assert "overlap_add is slower at stride 1: 21 ms against 15" in found.reason
    assert "sub_pixel is slower at stride 1, where it is XLA's own op once more" in found.reason
    assert upconv.explain(x, weight, algorithm="overlap_add").algorithm == "overlap_add"
    assert upconv.explain(x, weight, stride=2).algorithm == "overlap_add"
    assert upconv.explain(x, few).algorithm == "overlap_add"


def test_auto_takes_phases_where_each_sample_makes_many_numbers(jax):
    def algorithm(x, weight, **words):
        found, shapes = [], [jax.ShapeDtypeStruct(shape, "float32") for shape in (x, weight)]
        jax.eval_shape(lambda *arrays: found.append(upconv.explain(*arrays, **words)), *shapes)
        return found[0].algorithm

    assert algorithm((64, 4, 56, 7), (4, 32, 3, 3), stride=(3, 1)) == "sub_pixel"
    assert algorithm((64, 4, 56, 7), (4, 32, 3, 3), stride=(3, 1), dilation=(2, 1)) == "overlap_add"
    assert algorithm((64, 4, 56, 7), (4, 6, 3, 3), stride=(3, 1)) == "overlap_add"
    assert algorithm((64, 36, 56, 7), (36, 16, 2, 2), stride=(2, 1)) == "overlap_add"
    assert algorithm((1, 4, 9, 7), (4, 32, 3, 3), stride=(3, 1)) == "overlap_add"
    assert algorithm((2, 48, 56, 14), (48, 64, 2, 2), stride=(2, 1)) == "sub_pixel"
    assert algorithm((4, 64, 56, 14), (64, 64, 2, 2), stride=2) == "overlap_add"
    assert algorithm((4, 64, 56, 14), (64, 64, 3, 2), stride=2) == "sub_pixel"
    assert algorithm((1, 64, 28, 14), (64, 64, 3, 2), stride=2) == "overlap_add"
    assert algorithm((4, 256, 28, 40), (256, 64, 4, 3), stride=2) == "overlap_add"
    assert algorithm((4, 256, 28, 40), (256, 128, 4, 3), stride=2) == "sub_pixel"  # columns in blocks
    assert algorithm((3, 512, 28, 40), (512, 256, 4, 3), stride=2, dilation=(3, 1)) == "native"  # in blocks, no phases
    assert algorithm((3, 240, 28, 40), (240, 256, 4, 3), stride=2, dilation=(3, 1)) == "overlap_add"
    assert algorithm((16, 512, 8, 7), (512, 256, 4, 4), stride=2) == "overlap_add"
    assert algorithm((16, 512, 9, 8), (512, 256, 4, 4), stride=2) == "sub_pixel"
    assert algorithm((16, 512, 18, 8), (512, 128, 4, 4), stride=2) == "overlap_add"
    assert algorithm((8, 384, 32, 56), (384, 4, 3, 5), stride=2, groups=8) == "overlap_add"
    assert algorithm((16, 64, 56, 64), (64, 4, 4, 4), stride=(4, 2), groups=4) == "sub_pixel"
    assert algorithm((2, 512, 32, 32), (512, 512, 3, 3), stride=2) == "sub_pixel"
    assert algorithm((2, 1024, 32, 32), (1024, 256, 3, 3), stride=2, groups=2) == "sub_pixel"
    assert algorithm((1, 8, 24, 12, 16), (8, 32, 5, 4, 4), stride=2) == "sub_pixel"
    assert algorithm((1, 8, 24, 12, 16), (8, 16, 5, 4, 4), stride=2) == "overlap_add"
    assert algorithm((1, 8, 12, 9, 8, 7), (8, 32, 4, 2, 3, 3), stride=2) == "overlap_add"
    assert algorithm((8, 64, 56, 7), (64, 32, 3, 4), stride=(3, 2), groups=8) == "sub_pixel"
    assert algorithm((1, 2, 9), (2, 1, 1024), stride=4) == "sub_pixel"  # more shifts than columns take
    assert algorithm((1, 2, 9), (2, 1, 1024), stride=8) == "overlap_add"
    assert algorithm((8, 144, 56, 7), (144, 32, 3, 4), stride=(3, 2), groups=9) == "overlap_add"


def test_the_ways_back_stay_with_the_columns(jax, jnp):
    """Also of what 'auto' computes by phases."""
    x, weight = jnp.ones((64, 4, 56, 7), "float32"), jnp.ones((4, 32, 3, 3), "float32")
    words = {"stride": (3, 1)}
    y = upconv.conv_transpose2d(x, weight, **words)
    for call, arrays in (
        (upconv.conv2d, (y, weight)),
        (partial(upconv.conv_weight, kernel_size=(3, 3)), (x, y)),
    ):
        own, columns = (
            str(jax.make_jaxpr(partial(call, **words, algorithm=a))(*arrays)) for a in ("auto", "overlap_add")
        )
        assert own == columns
    assert upconv.explain(x, weight, **words).algorithm == "sub_pixel"


def test_a_long_kernel_is_a_short_program(jax, jnp):
    x, weight = jnp.ones((1, 2, 9)), jnp.ones((2, 1, 1024))
    text = str(jax.make_jaxpr(partial(upconv.conv_transpose1d, stride=256, algorithm="overlap_add"))(x, weight))
    assert text.count("scatter-add[") == 4
    assert upconv.explain(x, weight).algorithm == "native"
    with pytest.raises(ValueError, match="a kernel of 1024 shifts: each is an operation of the program, 128 at most"):
        upconv.conv_transpose1d(x, weight, algorithm="overlap_add")


def test_blocks_of_channels_when_columns_are_many(jax, jnp, monkeypatch):
    from upconv._lower._jax import _columns

    arrays = tuple(map(jnp.asarray, GROUPED.arrays()))

    def results():
        function = jax.jit(call(GROUPED, "overlap_add"))
        y, pull = jax.vjp(function, *arrays)
        return y, *pull(jnp.cos(y))

    whole = results()
    monkeypatch.setattr(_columns, "WORKSPACE", 1)
    monkeypatch.setattr(_columns, "LEAST", 1)
    jax.clear_caches()
    for ours, right in zip(results(), whole, strict=True):
        np.testing.assert_allclose(ours, right, atol=1e-13)
    assert "scan" in str(jax.make_jaxpr(call(GROUPED, "overlap_add"))(*arrays))
    last = upconv.conv_transpose(jnp.moveaxis(arrays[0], 1, -1), *arrays[1:], **GROUPED.arguments, **LAST)
    np.testing.assert_allclose(jnp.moveaxis(last, -1, 1), whole[0], atol=1e-13)
    jax.clear_caches()


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_images_in_turn_on_the_way_back(jax, jnp, monkeypatch, last):
    """As many at a time as have columns of a block, where each has a device; and where a sum of kernels fits, too."""
    from upconv._lower._jax import _columns

    rng = np.random.default_rng(0)
    x, weight = jnp.asarray(rng.standard_normal((4, 4, 7, 5))), jnp.asarray(rng.standard_normal((4, 3, 3, 2)))
    words = {"stride": (2, 3), "padding": ((0, 1), (1, -1)), "groups": 2, "algorithm": "overlap_add"}
    if last:
        x, words = jnp.moveaxis(x, 1, -1), words | LAST

    def layer(x, weight):
        return upconv.conv_transpose2d(x, weight, **words)

    backs = (
        lambda x, weight, y: jax.vjp(lambda x: layer(x, weight), x)[1](y)[0],
        lambda x, weight, y: jax.vjp(lambda weight: layer(x, weight), weight)[1](y)[0],
    )

    def lengths():
        """Of the loops; the values are right."""
        jax.clear_caches()
        for back, right in zip(backs, whole, strict=True):
            np.testing.assert_allclose(jax.jit(back)(x, weight, y), right, atol=1e-12)
        texts = (str(jax.make_jaxpr(back)(x, weight, y)) for back in backs)
        return [set(map(int, re.findall(r"length=(\d+)", text))) for text in texts]

    y = jnp.cos(layer(x, weight))
    whole = [back(x, weight, y) for back in backs]
    columns = upconv.explain(x, weight, **words).workspace
    monkeypatch.setattr(_columns, "WORKSPACE", columns - 1)
    monkeypatch.setattr(_columns, "BLOCK", columns // 2)
    assert lengths() == [set(), set()]
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    assert lengths() == [{2}, {2}]
    monkeypatch.setattr(_columns, "BLOCK", 1)
    assert lengths() == [{4}, {4}]
    monkeypatch.setattr(_columns, "WORKSPACE", columns // 4 + 1)
    assert lengths() == [{4}, set()]
    jax.clear_caches()


@pytest.mark.parametrize("outs, product", [(40, "2x800"), (6, "120x2")])
def test_few_samples_are_transposed_rather_than_a_large_kernel(jax, jnp, outs, product):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((1, 3, 1, 2)), rng.standard_normal((3, outs, 4, 5))
    call = jax.jit(partial(upconv.conv_transpose2d, stride=(2, 3), algorithm="overlap_add"))
    y, pull = jax.vjp(call, jnp.asarray(x), jnp.asarray(weight))
    right = oracle.conv_transpose(x, weight, None, (2, 3), (1, 1), 1, (0, 0), (4, 8))
    np.testing.assert_allclose(y, right, atol=1e-13)
    np.testing.assert_allclose(pull(y)[1], oracle.conv_weight(x, right, (4, 5), (2, 3), (1, 1), 1, (0, 0)), atol=1e-12)
    assert re.findall(r"dot_general.*-> tensor<(\d+x\d+)x", call.lower(x, weight).as_text()) == [product]


def test_sub_pixel_multiplies_no_zeros(jax, jnp):
    """One convolution where the stride divides the kernel, on each other axis two; none of no taps."""

    def kernels(kernel, stride):
        x, weight = jnp.ones((2, 4, 5, 6)), jnp.ones((4, 3, *kernel))
        call = partial(upconv.conv_transpose2d, stride=stride, algorithm="sub_pixel")
        found = re.findall(
            r"stablehlo.convolution\(.*, tensor<([x\d]*)x\w+>\) ->", jax.jit(call).lower(x, weight).as_text()
        )
        n = len(found)
        assert (
            f"of {n} convolution{'s' * (n > 1)} "
            in upconv.explain(x, weight, stride=stride, algorithm="sub_pixel").reason
        )
        return found

    assert kernels((4, 6), (2, 3)) == ["4x18x2x2"]
    assert kernels((4, 5), (2, 3)) == ["4x12x2x2", "4x6x2x1"]
    assert kernels((3, 5), (2, 3)) == ["4x6x2x2", "4x3x2x1", "4x6x1x2", "4x3x1x1"]
    assert kernels((4, 2), (2, 3)) == ["4x12x2x1"]


def test_phases_that_no_tap_reaches_take_no_kernel(jax, jnp):
    """No array of the program is larger than all phases are."""
    x, weight = jnp.ones((1, 8, 1, 1)), jnp.ones((8, 7, 2, 3))
    call = partial(upconv.conv_transpose2d, stride=(50, 40), algorithm="sub_pixel")
    shapes = re.findall(r"tensor<([x\d]*)x\w+>", jax.jit(call).lower(x, weight).as_text())
    assert max(np.prod([int(n) for n in shape.split("x")]) for shape in shapes) == 7 * 50 * 40


@pytest.mark.parametrize("layer", [case for case in CASES if case.name in ("grouped-4", "pix2pix-64")], ids=str)
def test_workspace(jax, jnp, layer):
    """What XLA takes beside operands and result, forward and for both gradients, is 32 MiB at most."""
    x, weight = (jax.ShapeDtypeStruct(shape, "float32") for shape in (layer.x, layer.weight))
    function = partial(upconv.conv_transpose, **layer.arguments)
    y = jax.eval_shape(function, x, weight)

    def by_x(x, weight, y):
        return jax.vjp(lambda x: function(x, weight), x)[1](y)

    def by_weight(x, weight, y):
        return jax.vjp(lambda weight: function(x, weight), weight)[1](y)

    for call, arrays in ((function, (x, weight)), (by_x, (x, weight, y)), (by_weight, (x, weight, y))):
        assert jax.jit(call).lower(*arrays).compile().memory_analysis().temp_size_in_bytes <= 2**25


def test_auto_leaves_many_blocks_to_the_op_of_xla(jax):
    """Where no phases can be had; and says so of an image without a batch too."""
    x, weight = jax.ShapeDtypeStruct((2, 512, 48, 40), "float32"), jax.ShapeDtypeStruct((512, 512, 2, 2), "float32")
    found = []
    jax.eval_shape(lambda *arrays: found.append(upconv.explain(*arrays, stride=2, dilation=2)), x, weight)
    jax.eval_shape(lambda x, weight: found.append(upconv.explain(x[0], weight, stride=2, dilation=2)), x, weight)
    assert [explanation.algorithm for explanation in found] == ["native", "overlap_add"]
    assert "overlap_add is slower in 32 blocks: 96 ms in 32 against 52" in found[0].reason
    assert "sub_pixel does not take stride and dilation on one axis" in found[0].reason


@pytest.mark.parametrize("algorithm", ["native", "sub_pixel", "lhs_dilation"])
@pytest.mark.parametrize("stride, input_gradient", [(1, 1), (2, 0)])
def test_the_gradient_of_the_kernel_is_no_convolution(jax, jnp, algorithm, stride, input_gradient):
    """On a CPU XLA's own takes many times as long; the input's is a convolution where there is no stride."""
    x, weight = jnp.ones((2, 8, 9, 7)), jnp.ones((8, 8, 3, 4))
    function = partial(upconv.conv_transpose2d, stride=stride, algorithm=algorithm)

    def convolutions(n):
        def gradient(x, weight, y):
            return jax.vjp(function, x, weight)[1](y)[n]

        text = jax.jit(gradient).lower(x, weight, jax.eval_shape(function, x, weight)).compile().as_text()
        return text.count(" convolution(")

    assert convolutions(0) == input_gradient
    assert convolutions(1) == 0


@pytest.mark.parametrize("axis, committed", [(0, True), (0, False), (2, True)], ids=["batch", "in_shardings", "space"])
def test_sharded_over_eight_devices(jax, jnp, algorithm, axis, committed):
    """Results and gradients agree; images on their own devices move nothing, and their sum for the kernel once."""
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    groups = 1 if algorithm in ("native", "sub_pixel") else 2
    rng = np.random.default_rng(0)
    x, weight = jnp.asarray(rng.standard_normal((8, 4, 8, 3))), jnp.asarray(rng.standard_normal((4, 3, 3, 2)))
    arguments = {"stride": (2, 3), "padding": ((0, 1), (1, -1)), "groups": groups}

    def layer(x, weight):
        return upconv.conv_transpose2d(x, weight, None, **arguments, algorithm=algorithm)

    cotangent = jnp.asarray(rng.standard_normal(jax.eval_shape(layer, x, weight).shape))

    def input_gradient(x, weight):
        return jax.vjp(lambda x: layer(x, weight), x)[1](cotangent)[0]

    def kernel_gradient(x, weight):
        return jax.vjp(lambda weight: layer(x, weight), weight)[1](cotangent)[0]

    mesh = Mesh(np.array(jax.devices()[:8]), ("d",))
    places = (NamedSharding(mesh, PartitionSpec(*(None,) * axis, "d")), NamedSharding(mesh, PartitionSpec()))
    arrays = list(map(jax.device_put, (x, weight), places))
    for function in (layer, input_gradient, kernel_gradient):
        if committed:
            compiled = jax.jit(function).lower(*arrays).compile()
        else:
            compiled = jax.jit(function, in_shardings=places).lower(x, weight).compile()
        np.testing.assert_allclose(compiled(*arrays), jax.jit(function)(x, weight), atol=1e-12)
        if axis == 0 and algorithm != "lhs_dilation":  # XLA gathers the images of a grouped convolution
            moved = set(COLLECTIVES.findall(compiled.as_text()))
            assert moved == ({"all-reduce"} if function is kernel_gradient else set())


def test_issue_32267_explicit_padding_is_that_of_the_convolution(jax, jnp, algorithm):
    """jax 32267: `lax.conv_transpose` takes pairs as pads of its input, and words as those of the convolution."""
    rng = np.random.default_rng(0)
    x, weight = jnp.asarray(rng.standard_normal((1, 3, 4, 5))), jnp.asarray(rng.standard_normal((3, 2, 3, 4)))
    for pads in (((1, 2), (0, 1)), ((2, 0), (3, 1))):
        size = tuple((i - 1) * s + k - sum(p) for i, s, k, p in zip((4, 5), (2, 3), (3, 4), pads, strict=True))
        conv = partial(jax.lax.conv_general_dilated, rhs=weight, window_strides=(2, 3), padding=pads)
        (theirs,) = jax.linear_transpose(conv, jax.ShapeDtypeStruct((1, 2, *size), x.dtype))(x)
        ours = upconv.conv_transpose2d(x, weight, None, (2, 3), pads, algorithm=algorithm)
        np.testing.assert_allclose(ours, theirs, atol=1e-13)
