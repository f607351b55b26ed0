"""MXNet, in its NumPy interface."""

from typing import Any

from mxnet.util import use_np_shape

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._mxnet import _namespace, native
from upconv._plan import Plan

__all__ = ["LOWERINGS"]


class _Generic(Generic):
    def refusal(self, plan: Plan, x: Any) -> str:
        if plan.rank > 3:
            return f"{plan.rank} spatial axes: MXNet slices arrays of at most 5 axes"
        return ""

    # A size of 0 is an unknown one to MXNet, unless the caller or this scope asks for NumPy's shapes.
    conv_transpose = use_np_shape(Generic.conv_transpose)
    conv = use_np_shape(Generic.conv)
    conv_weight = use_np_shape(Generic.conv_weight)
    conv_bias = use_np_shape(Generic.conv_bias)
    matrix = use_np_shape(Generic.matrix)


LOWERINGS: dict[str, Lowering] = {"native": native, "generic": _Generic(_namespace, device=lambda array: array.ctx)}
