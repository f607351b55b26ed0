"""`jax.lax.conv_transpose`.

Its pairs are paddings of the stride-dilated input, not crops of the output. With ``transpose_kernel``, and the kernel
announced as that of the forward convolution, (O, I) = (C_in, C_out), it flips the kernel and swaps its channels itself:
upconv's layout. It has no groups, sizes an empty image otherwise, and adds float16 and bfloat16 in their own precision
unless it is told to add in float32.

The call is jitted with the plan as its static key, so that an eager call is one dispatch, and inlined, so that nothing
of it is left inside another `jax.jit`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from jax import lax

from upconv._lower._jax._shared import finish, layouts, narrow, transposed, words
from upconv._plan import Plan

__all__ = [
    "conv",
    "conv_transpose",
    "conv_weight",
    "reason",
    "refusal",
    "refusal_conv",
    "refusal_conv_weight",
    "workspace",
]


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what its arguments cannot say."""
    if plan.groups > 1:
        return "groups: jax.lax.conv_transpose has none"
    return "an empty image: XLA sizes it otherwise" if plan.is_empty else ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "jax.lax.conv_transpose, whose padding pairs say this crop"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """Nothing of ours."""
    return 0


@partial(jax.jit, static_argnums=0, inline=True)
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Translate the crop into padding."""
    a, b = narrow(x), narrow(weight)
    y = lax.conv_transpose(
        a, b, plan.stride, dimension_numbers=layouts(plan, "OI"), transpose_kernel=True, **words(plan, a)
    )
    return finish(plan, x, y, bias)


conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv
