"""The contract of a lowering: one module, one algorithm of one library.

A lowering gets arguments that are known to be right: of one library, dtype and device, and with a batch axis. It never
checks them again, never raises about them, and never copies through another library or device. The result has the
dtype, the device and the memory format of ``x``.

Its first comment says what the library's own call does differently, and how it makes up for it. float16 and bfloat16
accumulate in float32 and are rounded once; integers stay exact; what no tap reaches is exactly zero plus bias.
"""

from __future__ import annotations

from typing import Any, Protocol

from upconv._plan import Plan

__all__ = ["Lowering"]


class Lowering(Protocol):
    """What every module below this one defines."""

    def lower(self, plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        """Compute the output; ``x`` is (N, C_in, *size), or (N, *size, C_in) where the plan says channels_last."""

    def refusal(self, plan: Plan, x: Any) -> str:
        """Name what this lowering does not take about the call, or return the empty string."""

    def reason(self, plan: Plan) -> str:
        """Say in one line how it computes a call that it takes."""

    def workspace(self, plan: Plan, batch: int, itemsize: int) -> int:
        """Estimate the bytes that it allocates beyond the output, the library's own op not counted."""
