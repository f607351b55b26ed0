"""`jax.lax.conv_general_dilated` over the input dilated by the stride: what `lax.conv_transpose` calls, with groups.

XLA correlates, so the kernel is flipped; it groups output channels, (C_in/groups, C_out), so the kernel's channels are
moved. Jitted and inlined as the native lowering.
"""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from upconv._lower._jax._explicit import compiled
from upconv._lower._jax._shared import finish, layouts, transposed, unfit, words
from upconv._lower._jax._tangents import with_tangents_of_columns
from upconv._plan import Plan

__all__ = [
    "LEAKS",
    "conv",
    "conv_transpose",
    "conv_weight",
    "reason",
    "refusal",
    "refusal_conv",
    "refusal_conv_weight",
    "workspace",
]

LEAKS = {"conv_transpose": "weight", "conv": "weight", "conv_weight": "x or y"}  # XLA inserts and appends zeros


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what XLA gets wrong."""
    return unfit(plan)


def reason(plan: Plan) -> str:
    """Say how."""
    return "jax.lax.conv_general_dilated over the input dilated by the stride, kernel flipped"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The kernel, flipped and regrouped."""
    return plan.in_channels * plan.out_channels // plan.groups * prod(plan.kernel) * itemsize


@compiled
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Correlate the dilated input with the flipped kernel."""
    return finish(plan, x, _own(plan, x, weight), bias)


@with_tangents_of_columns
def _own(plan: Plan, x: Any, weight: Any) -> Any:
    return lax.conv_general_dilated(
        x,
        _kernel(plan, weight),
        window_strides=(1,) * plan.rank,
        lhs_dilation=plan.stride,
        dimension_numbers=layouts(plan, "IO"),
        feature_group_count=plan.groups,
        **words(plan, x),
    )


conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv


def _kernel(plan: Plan, weight: Any) -> Any:
    """(C_in, C_out/groups, *kernel) to (C_in/groups, C_out, *kernel), flipped."""
    weight = jnp.flip(weight, range(2, weight.ndim))
    weight = weight.reshape(plan.groups, plan.in_channels // plan.groups, *weight.shape[1:])
    return jnp.moveaxis(weight, 0, 1).reshape(-1, plan.out_channels, *plan.kernel)
