"""The derivatives of XLA's own convolutions on a CPU, where those of the columns are faster, and of columns.

For the gradient of the kernel XLA's own takes 1.5 to 270 times as long on the layers of ``upconv bench``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.custom_derivatives import SymbolicZero

from upconv._lower._jax._columns import (
    by_columns,
    by_columns_of_images,
    product_for_image,
    product_for_weight,
)
from upconv._lower._jax._phases import ADDITIONS, additions
from upconv._lower._jax._shared import narrow, platform, wide
from upconv._plan import Plan

__all__ = ["columns", "with_tangents_of_columns"]

Form = Callable[[Plan, Any, Any], Any]


def columns(plan: Plan, image: Any, weight: Any) -> Any:
    """The columns themselves, whose own transposes are slower where they are cut into blocks."""
    return by_columns(plan, wide(image), wide(weight))


def with_tangents_of_columns(form: Form) -> Form:
    """Give a form, which is linear in the image and in the weight, the columns' tangents, and halves as they are."""

    @partial(jax.custom_jvp, nondiff_argnums=(0,))
    def differentiated(plan: Plan, x: Any, weight: Any) -> Any:
        return form(plan, x, weight)

    @partial(differentiated.defjvp, symbolic_zeros=True)
    def tangent(plan: Plan, operands: Any, tangents: Any) -> Any:
        (x, weight), (dx, dweight) = operands, tangents
        terms = []
        if type(dx) is not SymbolicZero:
            # Without a stride XLA's own is as fast as in front, where it multiplies no zeros.
            own = max(plan.stride) == 1 and plan.groups == 1 and form is not columns
            if own:
                terms.append(form(plan, dx, weight))
            else:
                terms.append(by_columns_of_images(plan, wide(dx), wide(weight), product_for_image))
        if type(dweight) is not SymbolicZero:
            dweight = wide(dweight)
            # Its transpose keeps a sum over images, and adds one image's to it.
            kept = 2 * dweight.size * dweight.dtype.itemsize
            terms.append(by_columns_of_images(plan, wide(x), dweight, product_for_weight, kept))
        return differentiated(plan, x, weight), sum(terms[1:], terms[0])

    def lower(plan: Plan, x: Any, weight: Any) -> Any:
        on_cpu = platform(x) == "cpu" and additions(plan) <= ADDITIONS
        return (differentiated if on_cpu else form)(plan, narrow(x), narrow(weight))

    return lower
