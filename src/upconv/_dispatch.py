"""From a call to its lowering: which library, which plan, which algorithm."""

from __future__ import annotations

import sys

from upconv._calls import keep, recall
from upconv._libraries import Library
from upconv._mixed import join, real_operands
from upconv._operands import autocast, autocasts, common_library, no_autocast, refuse_algorithm, untraced
from upconv._plan import Plan
from upconv._plans import conv_plan_for, conv_weight_plan_for, plan_for
from upconv._route import Route, route
from upconv._variables import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "resolve",
    "run_conv",
    "run_conv_bias",
    "run_conv_transpose",
    "run_conv_weight",
    "run_matrix",
]


def resolve(
    rank: int | None, x: Any, weight: Any, bias: Any, algorithm: Any, *geometry: Any
) -> tuple[Library, Plan, bool, Route]:
    """Check a transposed convolution and find its lowering; ``geometry`` is what `plan_for` takes after the shapes."""
    library = common_library(x, ("weight", weight), ("bias", bias))
    plan, batched = plan_for(rank, x.shape, weight.shape, None if bias is None else tuple(bias.shape), *geometry)
    return library, plan, batched, _route("conv_transpose", library, algorithm, plan, x)


def _resolve_conv(
    rank: int | None, x: Any, weight: Any, bias: Any, algorithm: Any, *geometry: Any
) -> tuple[Library, Plan, bool, Route]:
    library = common_library(x, ("weight", weight), ("bias", bias))
    bias_shape = None if bias is None else tuple(bias.shape)
    plan, batched = conv_plan_for(rank, x.shape, weight.shape, bias_shape, *geometry)
    return library, plan, batched, _route("conv", library, algorithm, plan, x)


def _resolve_conv_weight(x: Any, y: Any, algorithm: Any, *geometry: Any) -> tuple[Library, Plan, bool, Route]:
    library = common_library(x, ("y", y))
    plan, batched = conv_weight_plan_for(x.shape, y.shape, *geometry)
    return library, plan, batched, _route("conv_weight", library, algorithm, plan, x)


def _left_as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """What tf.autograph.experimental.do_not_convert leaves on a function, here without importing TensorFlow.

    Nothing below branches on a value, and AutoGraph would rewrite it all: 5 s for the first tf.function, in place of
    0.1 s.
    """
    vars(function)["autograph_info__"] = {}
    return function


@_left_as_it_is
def run_conv_transpose(rank: int | None, x: Any, weight: Any, bias: Any, *words: Any) -> Any:
    """Resolve a transposed convolution and lower it; ``words`` are the algorithm and the geometry."""
    key, found = recall("conv_transpose", rank, words, x, weight, bias)
    if found:
        lower, plan, batched = found
        return lower(plan, x, weight, bias) if batched else _lower(lower, plan, batched, x, weight, bias)
    x, weight, bias = plain(x, weight, bias)
    if autocasts(x):
        arrays = autocast(x, weight, bias)
        with no_autocast(x):
            return run_conv_transpose(rank, *arrays, *words)
    mixed = real_operands(x, weight, bias)
    if mixed:
        return join(*[run_conv_transpose(rank, *part, *words) for part in zip(*mixed, strict=True)], x, weight)
    library, plan, batched, way = untraced(resolve, rank, x, weight, bias, *words)
    keep(key, way.lower, plan, batched)
    return _in_scope(library, x, _lower, way.lower, plan, batched, x, weight, bias)


@_left_as_it_is
def run_conv(rank: int | None, x: Any, weight: Any, bias: Any, *words: Any) -> Any:
    """Resolve a convolution and lower it: its ``x`` is the plan's output."""
    key, found = recall("conv", rank, words, x, weight, bias)
    if found:
        return _lower(*found, x, weight, bias)
    x, weight, bias = plain(x, weight, bias)
    if autocasts(x):
        arrays = autocast(x, weight, bias)
        with no_autocast(x):
            return run_conv(rank, *arrays, *words)
    mixed = real_operands(x, weight, bias)
    if mixed:
        return join(*[run_conv(rank, *part, *words) for part in zip(*mixed, strict=True)], x, weight)
    library, plan, batched, way = untraced(_resolve_conv, rank, x, weight, bias, *words)
    keep(key, way.lower, plan, batched)
    return _in_scope(library, x, _lower, way.lower, plan, batched, x, weight, bias)


@_left_as_it_is
def run_conv_weight(x: Any, y: Any, *words: Any) -> Any:
    """Resolve the correlation of two images that gives a weight, and lower it."""
    key, found = recall("conv_weight", None, words, x, y, None)
    if found:
        return _reduce(*found, x, y)
    x, y = plain(x, y)
    if autocasts(x):
        arrays = autocast(x, y)
        with no_autocast(x):
            return run_conv_weight(*arrays, *words)
    mixed = real_operands(x, y, name="y")
    if mixed:
        return join(*[run_conv_weight(*part, *words) for part in zip(*mixed[:2], strict=True)], x, y)
    library, plan, batched, way = untraced(_resolve_conv_weight, x, y, *words)
    keep(key, way.lower, plan, batched)
    return _in_scope(library, x, _reduce, way.lower, plan, batched, x, y)


@_left_as_it_is
def run_conv_bias(y: Any, plan: Plan, *, batched: bool) -> Any:
    """Sum each channel of the plan's output: no library does this otherwise than the generic lowering."""
    (y,) = plain(y)
    library = common_library(y)
    way = _route("conv_bias", library, "generic", plan, y)
    return _in_scope(library, y, _reduce, way.lower, plan, batched, y)


@_left_as_it_is
def run_matrix(plan: Plan, weight: Any) -> Any:
    """Form the dense matrix of the plan and the weight: generic as well."""
    library = common_library(weight)
    way = _route("matrix", library, "generic", plan, weight)
    return _in_scope(library, weight, way.lower, plan, weight)


def _route(verb: str, library: Library, algorithm: Any, plan: Plan, x: Any) -> Route:
    found = route(verb, library, algorithm if type(algorithm) is str else "", plan, x)
    if not found.algorithm:
        refuse_algorithm(library, algorithm, found)
    return found


def _in_scope(library: Library, x: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call; TensorFlow's ops run on the device in scope, and MXNet knows sizes of 0 in the scope of NumPy's shapes."""
    if library.name == "tensorflow":
        with sys.modules["tensorflow"].device(x.device):
            return function(*arguments)
    if library.name == "mxnet":
        with sys.modules["mxnet"].util.np_shape(True):
            return function(*arguments)
    return function(*arguments)


def _reduce(lower: Callable[..., Any], plan: Plan, batched: bool, *images: Any) -> Any:
    """Give the images that are summed over a batch axis, where they have none."""
    return lower(plan, *(images if batched else [image[None, ...] for image in images]))


def _lower(lower: Callable[..., Any], plan: Plan, batched: bool, x: Any, weight: Any, bias: Any) -> Any:
    """Give the image a batch axis for the time of the call, where it has none."""
    if batched:
        return lower(plan, x, weight, bias)
    return lower(plan, x[None, ...], weight, bias)[0, ...]
