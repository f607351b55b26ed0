"""CuPy, on the device of ``x``, which need not be the current one."""

from typing import Any

from array_api_compat import cupy as xp

from upconv._lower._contract import Lowering
from upconv._lower._cupy import _weights, raw
from upconv._lower._generic import Generic
from upconv._plan import Plan

__all__ = ["LOWERINGS"]


class _Generic(Generic):
    def lower(self, plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        with x.device:
            return super().lower(plan, x, _weights.plain(weight), bias)


LOWERINGS: dict[str, Lowering] = {"raw": raw, "generic": _Generic(xp, device=lambda array: array.device)}
