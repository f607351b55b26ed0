"""What both of XLA's convolution calls are told in the same words."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from upconv._plan import Plan

__all__ = ["finish", "layouts", "words"]


def layouts(plan: Plan, kernel: str) -> tuple[str, str, str]:
    """Spell the axes of input, kernel and output, one digit for each spatial axis."""
    axes = "".join(map(str, range(plan.rank)))
    data = f"N{axes}C" if plan.channels_last else f"NC{axes}"
    return data, kernel + axes, data


def words(plan: Plan, x: Any) -> dict[str, Any]:
    """The crop as padding of the stride-dilated input, (ke-1-lo, ke-1-hi), and the precision to add in."""
    reach = [d * (k - 1) for k, d in zip(plan.kernel, plan.dilation, strict=True)]
    half = jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize == 2
    return {
        "padding": [(n - lo, n - hi) for n, lo, hi in zip(reach, plan.lo, plan.hi, strict=True)],
        "rhs_dilation": plan.dilation,
        "preferred_element_type": jnp.float32 if half else None,
    }


def finish(plan: Plan, x: Any, y: Any, bias: Any) -> Any:
    """Add the bias in the precision of the sum, then round once."""
    if bias is not None:
        y = y + (bias if plan.channels_last else bias.reshape(-1, *(1,) * plan.rank)).astype(y.dtype)
    return y.astype(x.dtype)
