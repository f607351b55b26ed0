"""MXNet, in its NumPy interface."""

from collections.abc import Callable
from typing import Any

from mxnet.util import use_np_shape

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._mxnet import _namespace, native
from upconv._lower._mxnet._accumulation import accumulating
from upconv._plan import Plan

__all__ = ["LOWERINGS"]


def _verb(function: Callable[..., Any]) -> Callable[..., Any]:
    # A size of 0 is an unknown one to MXNet, unless the caller or this scope asks for NumPy's shapes.
    return use_np_shape(accumulating(function))


class _Generic(Generic):
    def refusal(self, plan: Plan, x: Any) -> str:
        if plan.rank > 3:
            return f"{plan.rank} spatial axes: MXNet slices arrays of at most 5 axes"
        return ""

    conv_transpose = _verb(Generic.conv_transpose)
    conv = _verb(Generic.conv)
    conv_weight = _verb(Generic.conv_weight)
    conv_bias = _verb(Generic.conv_bias)
    matrix = _verb(Generic.matrix)


LOWERINGS: dict[str, Lowering] = {"native": native, "generic": _Generic(_namespace, device=lambda array: array.ctx)}
