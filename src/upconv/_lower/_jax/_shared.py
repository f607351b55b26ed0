"""What both of XLA's convolution calls are told in the same words, and how every lowering ends."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from upconv._plan import Plan

__all__ = ["finish", "is_half", "layouts", "operands", "words"]


def is_half(array: Any) -> bool:
    """Whether it must be added in a wider type than its own."""
    return jnp.issubdtype(array.dtype, jnp.floating) and array.dtype.itemsize == 2


def operands(*arrays: Any) -> tuple[Any, ...]:
    """Widen halves where JAX cannot differentiate a convolution of theirs that is added in float32.

    Its gradient raised a TypeError about mixed types, as in 0.5 (https://github.com/jax-ml/jax/pull/36734 mends it).
    Elsewhere they stay narrow: a GPU multiplies them faster.
    """
    if is_half(arrays[0]) and jax.__version_info__ < (0, 10, 2):
        return tuple(array.astype(jnp.float32) for array in arrays)
    return arrays


def layouts(plan: Plan, kernel: str) -> tuple[str, str, str]:
    """Spell the axes of input, kernel and output, one digit for each spatial axis."""
    axes = "".join(map(str, range(plan.rank)))
    data = f"N{axes}C" if plan.channels_last else f"NC{axes}"
    return data, kernel + axes, data


def words(plan: Plan, x: Any) -> dict[str, Any]:
    """The crop as padding of the stride-dilated input, (ke-1-lo, ke-1-hi), and the precision to add in."""
    reach = [d * (k - 1) for k, d in zip(plan.kernel, plan.dilation, strict=True)]
    return {
        "padding": [(n - lo, n - hi) for n, lo, hi in zip(reach, plan.lo, plan.hi, strict=True)],
        "rhs_dilation": plan.dilation,
        "preferred_element_type": jnp.float32 if is_half(x) else None,
    }


def finish(plan: Plan, x: Any, y: Any, bias: Any) -> Any:
    """Add the bias in the precision of the sum, then round once."""
    if bias is not None:
        y = y + (bias if plan.channels_last else bias.reshape(-1, *(1,) * plan.rank)).astype(y.dtype)
    return y.astype(x.dtype)
