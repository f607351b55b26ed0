"""Meshes whose axes are Explicit, Auto, Manual or of several kinds: every algorithm, verb and derivative."""

from functools import partial

import numpy as np
import pytest

import upconv

STRIDE = {"stride": (2, 3), "padding": ((0, 1), (1, -1))}


@pytest.fixture
def jax(library):
    if library.name != "jax":
        pytest.skip(f"{library.name} is not JAX")
    jax = pytest.importorskip("jax")
    if not hasattr(jax.sharding, "auto_axes"):
        pytest.skip("this JAX has Explicit axes as an experiment only")
    return jax


def draw(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape)


def operands(jax):
    return [jax.numpy.asarray(draw(shape, n)) for n, shape in enumerate([(8, 4, 5, 6), (4, 6, 3, 2), (6,)])]


def placed(jax, mesh, arrays, specs):
    sharding, spec = jax.sharding.NamedSharding, jax.sharding.PartitionSpec
    return [jax.device_put(a, sharding(mesh, spec(*s))) for a, s in zip(arrays, specs, strict=True)]


def pulled(algorithm, x, weight, bias):
    y, pull = upconv.vjp(x, weight, bias, **STRIDE, algorithm=algorithm)
    return y, *pull(y)


def verbs_and_derivatives(jax, algorithm):
    """The verbs as `vjp` calls them, the gradients that JAX takes, and the second derivative."""
    layer = partial(upconv.conv_transpose2d, **STRIDE, algorithm=algorithm)

    def gradients(*arrays):
        y, pull = jax.vjp(layer, *arrays)
        return pull(y)

    return [
        partial(pulled, algorithm),
        gradients,
        lambda *arrays: jax.jvp(layer, arrays, arrays),
        lambda *arrays: jax.jvp(gradients, arrays, arrays),
    ]


def agree(jax, found, right):
    for ours, exact in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(ours, exact, atol=1e-10)


MESHES = {
    "batch": ((8,), ("Explicit",), [("a",), (), ()]),
    "channels": ((4, 2), ("Explicit", "Explicit"), [("a",), (None, "b"), ("b",)]),
    "input-channels": ((4, 2), ("Explicit", "Explicit"), [("a", "b"), ("b",), ()]),
    "weight-over-the-batch's": ((4, 2), ("Explicit", "Explicit"), [("a",), ("a", "b"), ()]),
    "some-auto": ((4, 2), ("Explicit", "Auto"), [("a",), (None, "b"), ()]),
}


@pytest.mark.parametrize("name", MESHES)
def test_explicit_axes(jax, algorithm, name):
    sizes, kinds, specs = MESHES[name]
    types = tuple(getattr(jax.sharding.AxisType, kind) for kind in kinds)
    mesh = jax.make_mesh(sizes, ("a", "b")[: len(sizes)], axis_types=types)
    plain = operands(jax)
    sharded = placed(jax, mesh, plain, specs)
    assert upconv.conv_transpose2d(*sharded, **STRIDE, algorithm=algorithm).sharding.spec[0] == "a"
    for function in verbs_and_derivatives(jax, algorithm):
        agree(jax, jax.jit(function)(*sharded), jax.jit(function)(*plain))


def test_eager_gradients_in_a_mesh(jax, algorithm):
    mesh = jax.make_mesh((8,), ("a",), axis_types=(jax.sharding.AxisType.Explicit,))
    plain = operands(jax)
    with jax.set_mesh(mesh):
        sharded = placed(jax, mesh, plain, [("a",), (), ()])
        for function in verbs_and_derivatives(jax, algorithm):
            found = function(*sharded)
            agree(jax, found, jax.jit(function)(*operands(jax)))


def test_a_sharded_axis_of_space_without_a_batch(jax, algorithm):
    mesh = jax.make_mesh((8,), ("a",), axis_types=(jax.sharding.AxisType.Explicit,))
    plain = [jax.numpy.asarray(draw((4, 8, 6), 3)), *operands(jax)[1:]]
    sharded = placed(jax, mesh, plain, [(None, "a"), (), ()])
    for function in verbs_and_derivatives(jax, algorithm):
        agree(jax, jax.jit(function)(*sharded), jax.jit(function)(*plain))


def test_manual_axes(jax, algorithm):
    """Each device has its images, and all the weight: the gradient by it is one for each device, to be added."""
    mesh = jax.make_mesh((8,), ("a",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec
    plain = operands(jax)

    def local(*arrays):
        y, *rest = pulled(algorithm, *arrays)
        return y, rest[0], *(jax.lax.psum(gradient, "a") for gradient in rest[1:])

    each = jax.shard_map(
        local, mesh=mesh, in_specs=(spec("a"), spec(), spec()), out_specs=(spec("a"), spec("a"), spec(), spec())
    )
    agree(jax, jax.jit(each)(*plain), jax.jit(partial(pulled, algorithm))(*plain))
