"""`jax.lax.conv_transpose`.

Its pairs are paddings of the stride-dilated input, not crops of the output. With ``transpose_kernel``, and the kernel
announced as that of the forward convolution, (O, I) = (C_in, C_out), it flips the kernel and swaps its channels itself:
upconv's layout. It has no groups, sizes an empty image otherwise, and adds float16 and bfloat16 in their own precision
unless it is told to add in float32.

On a CPU the gradients are those of the columns, the input's where there is a stride: for that of the kernel XLA's own
takes 1.5 to 270 times as long on the layers of ``upconv bench``.

The call is jitted with the plan as its static key, so that an eager call is one dispatch, and inlined, so that nothing
of it is left inside another `jax.jit`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from jax import lax
from jax.custom_derivatives import SymbolicZero

from upconv._lower._jax._columns import by_columns
from upconv._lower._jax._phases import ADDITIONS, additions
from upconv._lower._jax._shared import finish, layouts, narrow, platform, transposed, unfit, wide, words
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


@partial(jax.jit, static_argnums=0, inline=True)
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Translate the crop into padding."""
    lower = _with_columns if platform(x) == "cpu" and additions(plan) <= ADDITIONS else _own
    return finish(plan, x, lower(plan, narrow(x), narrow(weight)), bias)


def _own(plan: Plan, x: Any, weight: Any) -> Any:
    layout = layouts(plan, "OI")
    return lax.conv_transpose(x, weight, plan.stride, dimension_numbers=layout, transpose_kernel=True, **words(plan, x))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _with_columns(plan: Plan, x: Any, weight: Any) -> Any:
    return _own(plan, x, weight)


@partial(_with_columns.defjvp, symbolic_zeros=True)
def _tangent(plan: Plan, operands: Any, tangents: Any) -> Any:
    (x, weight), (dx, dweight) = operands, tangents
    terms = []
    if type(dx) is not SymbolicZero:
        # Without a stride XLA's own is as fast as in front, where it multiplies no zeros.
        terms.append(_own(plan, dx, weight) if max(plan.stride) == 1 else by_columns(plan, wide(dx), wide(weight)))
    if type(dweight) is not SymbolicZero:
        terms.append(by_columns(plan, wide(x), wide(dweight)))
    return _with_columns(plan, x, weight), sum(terms[1:], terms[0])


conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv
