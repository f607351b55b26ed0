"""GEMM and overlap-add, in tiles; and the two ways back, gather and GEMM along the same schedule."""

from __future__ import annotations

from typing import Any

from upconv._lower._numpy._columns import conv, conv_weight
from upconv._lower._numpy._operands import lifted
from upconv._lower._numpy._schedule import make_schedule
from upconv._lower._numpy._window import conv_transpose, workspace
from upconv._plan import Plan

__all__ = ["conv", "conv_transpose", "conv_weight", "reason", "refusal", "workspace"]


def refusal(plan: Plan, x: Any) -> str:
    """Take what is laid out in a window of some size."""
    return lifted(plan)[0].far


def reason(plan: Plan) -> str:
    """Say how."""
    adds = "no two taps meet" if make_schedule(lifted(plan)[0], 1, 4).disjoint else "overlap-added by output phase"
    return f"one BLAS product for each tile of rows; {adds}"
