"""What XLA's convolution calls are told in the same words, and what all lowerings have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from upconv._lower._jax._explicit import compiled, vary_alike
from upconv._plan import Plan

__all__ = ["finish", "layouts", "narrow", "platform", "transposed", "unfit", "wide", "words"]

LARGEST = 2**31 - 1

Lower = Callable[..., Any]


def layouts(plan: Plan, kernel: str) -> tuple[str, str, str]:
    """Spell the axes of input, kernel and output, one digit for each spatial axis."""
    axes = "".join(map(str, range(plan.rank)))
    data = f"N{axes}C" if plan.channels_last else f"NC{axes}"
    return data, kernel + axes, data


def unfit(plan: Plan) -> str:
    """Name what XLA's convolution gets wrong, or return the empty string."""
    if plan.is_empty:
        return "an empty image: XLA sizes it otherwise"
    if plan.largest > LARGEST:
        return "numbers beyond 32 bits: XLA's op gives zeros, does not end, or ends the process"
    return plan.far


def words(plan: Plan, x: Any) -> dict[str, Any]:
    """The crop as padding of the stride-dilated input, (ke-1-lo, ke-1-hi), and the precision to add in."""
    reach = [d * (k - 1) for k, d in zip(plan.kernel, plan.dilation, strict=True)]
    return {
        "padding": [(n - lo, n - hi) for n, lo, hi in zip(reach, plan.lo, plan.hi, strict=True)],
        "rhs_dilation": plan.dilation,
        "preferred_element_type": jnp.float32 if _half(x) else None,
    }


def finish(plan: Plan, x: Any, y: Any, bias: Any) -> Any:
    """Add the bias in the precision of the sum, then round once."""
    if bias is not None:
        # As many axes as the image: users may forbid JAX to add axes by itself.
        sizes = (1, *(1,) * plan.rank, -1) if plan.channels_last else (1, -1, *(1,) * plan.rank)
        y = y + bias.reshape(sizes).astype(y.dtype)
    return y.astype(x.dtype)


def transposed(conv_transpose: Lower, refusal: Lower) -> tuple[Lower, Lower, Lower]:
    """`conv` and `conv_weight` of a lowering: it is linear in x and in the weight, and JAX transposes what is linear.

    And what they refuse beside what the lowering does: integers.

    Differentiated at zero rather than by `jax.linear_transpose`, which would pass by the rules that choose how.
    Operands are kept although unused, as with an empty batch, because they say on which device the result lies.
    They are made wide, because JAX transposes no convolution that adds in another precision than its operands have.
    """

    @compiled
    def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
        image, weight = wide(y), wide(weight)
        x = jnp.zeros((y.shape[0], *plan.sample_shape), image.dtype)
        x, image, weight = vary_alike(x, image, weight)
        (x,) = jax.vjp(lambda x: conv_transpose(plan, x, weight, None), x)[1](image)
        return finish(plan, y, x, bias)

    @compiled
    def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
        image = wide(x)
        weight = jnp.zeros(plan.weight_shape, image.dtype)
        weight, image, cotangent = vary_alike(weight, image, wide(y))
        (weight,) = jax.vjp(lambda weight: conv_transpose(plan, image, weight, None), weight)[1](cotangent)
        return weight.astype(x.dtype)

    def refusal_back(plan: Plan, x: Any) -> str:
        integers = not jnp.issubdtype(x.dtype, jnp.inexact)
        return refusal(plan, x) or (f"{x.dtype}: JAX transposes no function of integers" if integers else "")

    return conv, conv_weight, refusal_back


def narrow(array: Any) -> Any:
    """Leave halves as they are, which a GPU multiplies faster, where JAX can differentiate that; else widen them.

    It raised a TypeError about mixed types, as in 0.5; https://github.com/jax-ml/jax/pull/36734 mends it.
    """
    return array if jax.__version_info__ >= (0, 10, 2) else wide(array)


def wide(array: Any) -> Any:
    """Widen halves to the precision that they are added in."""
    return array.astype(jnp.float32) if _half(array) else array


def platform(x: Any) -> str:
    """Where the call runs; a traced array does not know, and goes where arrays go by default."""
    return jax.default_backend() if isinstance(x, jax.core.Tracer) else next(iter(x.devices())).platform


def _half(array: Any) -> bool:
    return jnp.issubdtype(array.dtype, jnp.floating) and array.dtype.itemsize == 2
