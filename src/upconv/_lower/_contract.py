"""What a lowering has, for the type checker; the contract in prose stands in the package's docstring."""

from __future__ import annotations

from typing import Any, Protocol

from upconv._plan import Plan

__all__ = ["Lowering"]


class Lowering(Protocol):
    """A module, or an object, that computes the call by one algorithm of one library."""

    def conv_transpose(self, plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        """Compute the output; ``x`` is (N, C_in, *size), or (N, *size, C_in) where the plan says channels_last."""

    def refusal(self, plan: Plan, x: Any) -> str:
        """Name what this lowering does not take about the call, or return the empty string."""

    def reason(self, plan: Plan) -> str:
        """Say in one line how it computes a call that it takes."""

    def workspace(self, plan: Plan, batch: int, itemsize: int) -> int:
        """Estimate the bytes that it allocates beyond the output, the library's own op not counted."""
