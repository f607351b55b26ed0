"""From the arguments of a call to its plan, by shapes alone; plans are kept for the next call of the same geometry."""

from __future__ import annotations

import operator

from upconv._arguments import exact
from upconv._geometry import conv_plan, conv_transpose_plan, conv_weight_plan, sample_shape, two_samples
from upconv._libraries import remember, remembers
from upconv._memory import Memory
from upconv._plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["conv_plan_for", "conv_weight_plan_for", "plan_for"]

_PLANS: dict[Any, Plan] = Memory(2**24)


def _known(make: Callable[..., Plan], key: tuple[Any, ...]) -> Plan:
    """Return the plan of a geometry: a known one costs a look into a dictionary."""
    if not remembers():
        return make(*map(_constant, key[1:]))
    try:
        plan = _PLANS.get(key)
    except TypeError:  # a symbolic size
        return _known(make, _constant(key))
    if plan is None:
        plan = make(*key[1:])
        remember(_PLANS, key, plan)
    return plan


def _constant(value: Any) -> Any:
    """Sizes that a compiler takes for unknowns, made constants of the graph: all but the batch.

    To `torch.compile` these are ints, as any may be; to another tracer objects that have no hash.
    """
    if type(value) is tuple:
        return tuple([_constant(item) for item in value])
    return operator.index(value) if type(value) is int or hasattr(value, "__index__") else value


def plan_for(
    rank: int | None,
    x_shape: Any,
    weight_shape: Any,
    bias_shape: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    output_size: Any,
    data_format: Any,
) -> tuple[Plan, bool]:
    """Return the plan of a transposed convolution, and whether ``x`` has a batch axis."""
    sample, weight_shape, batched = sample_shape("conv_transpose", x_shape, weight_shape, rank, data_format)
    key = (
        "conv_transpose",
        sample,
        weight_shape,
        bias_shape,
        stride if type(stride) is int else exact("stride", stride),
        padding if type(padding) is int else exact("padding", padding),
        output_padding if type(output_padding) is int else exact("output_padding", output_padding),
        groups if type(groups) is int else exact("groups", groups),
        dilation if type(dilation) is int else exact("dilation", dilation),
        output_size if output_size is None else exact("output_size", output_size),
        data_format,
    )
    return _known(conv_transpose_plan, key), batched


def conv_plan_for(
    rank: int | None,
    x_shape: Any,
    weight_shape: Any,
    bias_shape: Any,
    stride: Any,
    padding: Any,
    groups: Any,
    dilation: Any,
    data_format: Any,
) -> tuple[Plan, bool]:
    """Return the plan whose output a convolution takes, and whether there is a batch axis."""
    sample, weight_shape, batched = sample_shape("conv", x_shape, weight_shape, rank, data_format)
    words = (exact("stride", stride), exact("padding", padding), exact("groups", groups), exact("dilation", dilation))
    return _known(conv_plan, ("conv", sample, weight_shape, bias_shape, *words, data_format)), batched


def conv_weight_plan_for(
    x_shape: Any,
    y_shape: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    groups: Any,
    dilation: Any,
    data_format: Any,
) -> tuple[Plan, bool]:
    """Return the plan that x and y belong to, and whether they have a batch axis."""
    kernel = exact("kernel_size", kernel_size)
    x_sample, y_sample, batched = two_samples(x_shape, y_shape, kernel, data_format)
    words = (exact("stride", stride), exact("padding", padding), exact("groups", groups), exact("dilation", dilation))
    return _known(conv_weight_plan, ("conv_weight", x_sample, y_sample, kernel, *words, data_format)), batched
