"""`jax.lax.conv_transpose`.

Its pairs are paddings of the stride-dilated input, not crops of the output. With ``transpose_kernel``, and the kernel
announced as that of the forward convolution, (O, I) = (C_in, C_out), it flips the kernel and swaps its channels itself:
upconv's layout. It has no groups, sizes an empty image otherwise, and adds float16 and bfloat16 in their own precision
unless it is told to add in float32.

The call is jitted with the plan as its static key, so that an eager call is one dispatch, and inlined, so that nothing
of it is left inside another `jax.jit`.
"""

from __future__ import annotations

from typing import Any

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
    """Refuse what its arguments cannot say."""
    if plan.groups > 1:
        return "groups: jax.lax.conv_transpose has none"
    return unfit(plan)


def reason(plan: Plan) -> str:
    """Say how."""
    return "jax.lax.conv_transpose, whose padding pairs say this crop"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """Nothing of ours."""
    return 0


@compiled
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Translate the crop into padding."""
    return finish(plan, x, _own(plan, x, weight), bias)


@with_tangents_of_columns
def _own(plan: Plan, x: Any, weight: Any) -> Any:
    layout = layouts(plan, "OI")
    return lax.conv_transpose(x, weight, plan.stride, dimension_numbers=layout, transpose_kernel=True, **words(plan, x))


conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv
