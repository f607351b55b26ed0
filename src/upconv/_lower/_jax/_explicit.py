"""Meshes with Explicit or Manual axes, where the type of an array says how it is sharded.

There JAX asks each reshape and each product how its result is sharded, and has no rule for most of what the lowerings
do. So a call runs with these axes as Auto, where the compiler decides, and its result says again how it is sharded: as
XLA's own convolution has it, by the images' batch and by the kernel's channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import jax

from upconv._plan import Plan

__all__ = ["compiled", "in_auto_axes", "vary_alike"]

Lower = Callable[..., Any]
Spec = tuple[Any, ...]

# JAX had Explicit axes as an experiment before it had this.
AUTO_AXES: Any = getattr(jax.sharding, "auto_axes", None)


def compiled(function: Lower) -> Lower:
    """Compile a verb of a lowering, with the plan as the static key.

    So an eager call is one dispatch; inlined, nothing of it is left inside another `jax.jit`. Operands are kept
    although unused, as with an empty batch, because they say on which device the result lies.
    """
    return in_auto_axes(jax.jit(function, static_argnums=0, inline=True, keep_unused=True))


def in_auto_axes(function: Lower) -> Lower:
    """Call a verb of a lowering with the Explicit axes of its operands' mesh, if any, as Auto."""
    if AUTO_AXES is None:
        return function
    verb = function.__name__

    @wraps(function)
    def call(plan: Plan, *arrays: Any) -> Any:
        for array in arrays:
            if array is not None:
                mesh = jax.typeof(array).sharding.mesh
                if mesh.explicit_axes:
                    return _resharded(function, verb, mesh, plan, *arrays)
        return function(plan, *arrays)

    return call


@partial(jax.jit, static_argnums=(0, 1, 2, 3), keep_unused=True)
def _resharded(function: Lower, verb: str, mesh: Any, plan: Plan, *arrays: Any) -> Any:
    spec = _unique(_SPECS[verb](plan, mesh, *map(_spec, arrays)))
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*spec))
    return AUTO_AXES(partial(function, plan), axes=mesh.explicit_axes, out_sharding=place)(*arrays)


def vary_alike(*arrays: Any) -> tuple[Any, ...]:
    """Give arrays of one dtype, in `jax.shard_map`, types that vary over the same Manual axes of the mesh.

    A cotangent must have the type of the result, which varies over all axes that any operand does. The sum of no
    samples is a zero of that type; those of 0 * a are not where a is infinite.
    """
    if AUTO_AXES is None or not any(jax.typeof(array).sharding.mesh.manual_axes for array in arrays):
        return arrays
    zero = sum(array.ravel()[:0].sum() for array in arrays)
    return tuple(array + zero.reshape((1,) * array.ndim) for array in arrays)


def _spec(array: Any) -> Spec:
    """What each axis is sharded over: None, a name or names."""
    if array is None:
        return ()
    spec = tuple(jax.typeof(array).sharding.spec)
    return spec + (None,) * (array.ndim - len(spec))


def _image(plan: Plan, mesh: Any, sizes: tuple[int, ...], image: Spec, channels: Any) -> Spec:
    """An image of these sizes: the batch as that of the other, and its spatial axes where they divide evenly."""
    batch, *rest = image
    spatial = rest[:-1] if plan.channels_last else rest[1:]
    spatial = [name if size % _shards(mesh, name) == 0 else None for name, size in zip(spatial, sizes, strict=True)]
    return (batch, *spatial, channels) if plan.channels_last else (batch, channels, *spatial)


def _conv_transpose(plan: Plan, mesh: Any, x: Spec, weight: Spec, bias: Spec) -> Spec:
    return _image(plan, mesh, plan.out, x, weight[1] if plan.groups == 1 else None)


def _conv(plan: Plan, mesh: Any, y: Spec, weight: Spec, bias: Spec) -> Spec:
    return _image(plan, mesh, plan.size, y, weight[0])


def _conv_weight(plan: Plan, mesh: Any, x: Spec, y: Spec) -> Spec:
    channels = -1 if plan.channels_last else 1
    return x[channels], y[channels] if plan.groups == 1 else None, *(None,) * plan.rank


def _conv_bias(plan: Plan, mesh: Any, y: Spec) -> Spec:
    return (y[-1 if plan.channels_last else 1],)


def _matrix(plan: Plan, mesh: Any, weight: Spec) -> Spec:
    return None, None


_SPECS: dict[str, Callable[..., Spec]] = {
    "conv_transpose": _conv_transpose,
    "conv": _conv,
    "conv_weight": _conv_weight,
    "conv_bias": _conv_bias,
    "matrix": _matrix,
}


def _names(axis: Any) -> tuple[str, ...]:
    return () if axis is None else axis if isinstance(axis, tuple) else (axis,)


def _shards(mesh: Any, axis: Any) -> int:
    shards = 1
    for name in _names(axis):
        shards *= mesh.shape[name]
    return shards


def _unique(spec: Spec) -> Spec:
    """Each axis of the mesh at its first place alone: a weight may be sharded over the one that the batch is."""
    seen: set[str] = set()
    found = []
    for axis in spec:
        names = _names(axis)
        found.append(None if seen.intersection(names) else axis)
        seen.update(names)
    return tuple(found)
