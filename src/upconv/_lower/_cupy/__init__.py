"""CuPy, on the device of ``x``, which need not be the current one."""

from typing import Any

from array_api_compat import cupy as xp

from upconv._lower._contract import Lowering
from upconv._lower._cupy import _weights, raw
from upconv._lower._generic import Generic
from upconv._plan import Plan

__all__ = ["LOWERINGS"]


class _Generic(Generic):
    """The generic algorithm on the device of its first array, with weights as they came."""

    def conv_transpose(self, plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        with x.device:
            return super().conv_transpose(plan, x, _weights.plain(weight), bias)

    def conv(self, plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
        with y.device:
            return super().conv(plan, y, _weights.plain(weight), bias)

    def conv_weight(self, plan: Plan, x: Any, y: Any) -> Any:
        with x.device:
            return super().conv_weight(plan, x, y)

    def conv_bias(self, plan: Plan, y: Any) -> Any:
        with y.device:
            return super().conv_bias(plan, y)

    def parts(self, array: Any) -> tuple[Any, Any]:
        with array.device:
            return super().parts(_weights.plain(array))

    def matrix(self, plan: Plan, weight: Any) -> Any:
        with weight.device:
            return super().matrix(plan, weight)


def _join(re: Any, im: Any, dtype: Any) -> Any:
    with re.device:
        y = xp.empty_like(re, dtype=dtype)
        y.real, y.imag = re, im
        return y


LOWERINGS: dict[str, Lowering] = {"raw": raw, "generic": _Generic(xp, device=lambda array: array.device, join=_join)}
