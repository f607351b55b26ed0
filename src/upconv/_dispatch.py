"""From a call to its lowering: which library, which plan, which algorithm."""

from __future__ import annotations

import sys

from upconv._arguments import exact, exact_plan, sample_shape
from upconv._libraries import Library, Route, route
from upconv._operands import common_library, refuse_algorithm
from upconv._plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from upconv._lower._contract import Lowering

__all__ = ["plan_for", "resolve", "run"]

# A plain dictionary, because `torch.compile` warns at functools.lru_cache; emptied when full, so it stays bounded. Two
# threads may both make a plan: they are equal, and the later one stays.
_PLANS: dict[Any, Plan] = {}
_PLANS_KEPT = 4096


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
    """Return the plan, and whether ``x`` has a batch axis. A known geometry costs a look into a dictionary."""
    sample, weight_shape, batched = sample_shape(x_shape, weight_shape, rank, data_format)
    key = (
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
    plan = _PLANS.get(key)
    if plan is None:
        plan = exact_plan(*key)
        if len(_PLANS) >= _PLANS_KEPT:
            _PLANS.clear()
        _PLANS[key] = plan
    return plan, batched


def resolve(
    rank: int | None, x: Any, weight: Any, bias: Any, algorithm: Any, *geometry: Any
) -> tuple[Library, Plan, bool, Route]:
    """Check the call and find its lowering; ``geometry`` is what `plan_for` takes after the shapes."""
    library = common_library(x, weight, bias)
    bias_shape = None if bias is None else tuple(bias.shape)
    plan, batched = plan_for(rank, x.shape, weight.shape, bias_shape, *geometry)
    found = route(library, algorithm if type(algorithm) is str else "", plan, x)
    if not found.algorithm:
        refuse_algorithm(library, algorithm, found)
    return library, plan, batched, found


def run(rank: int | None, x: Any, weight: Any, bias: Any, algorithm: Any, *geometry: Any) -> Any:
    """Resolve the call and lower it, with a batch axis for the time of the call where ``x`` has none."""
    library, plan, batched, found = resolve(rank, x, weight, bias, algorithm, *geometry)
    if library.name == "tensorflow":  # its ops run on the device in scope, wherever their operands are
        with sys.modules["tensorflow"].device(x.device):
            return _lower(found.lowering, plan, batched, x, weight, bias)
    return _lower(found.lowering, plan, batched, x, weight, bias)


# What tf.autograph.experimental.do_not_convert leaves on a function, here without importing TensorFlow: nothing below
# branches on a value, and AutoGraph would rewrite it all: 5 s for the first tf.function, in place of 0.1 s.
vars(run)["autograph_info__"] = {}


def _lower(lowering: Lowering, plan: Plan, batched: bool, x: Any, weight: Any, bias: Any) -> Any:
    if batched:
        return lowering.conv_transpose(plan, x, weight, bias)
    return lowering.conv_transpose(plan, x[None, ...], weight, bias)[0, ...]
