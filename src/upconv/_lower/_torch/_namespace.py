"""What the generic lowering asks of the array API, for PyTorch: array-api-compat's, but for one function.

`torch.moveaxis` fails under `torch.func.vmap`, which has no rule for it; `torch.movedim` is the same, and has one.
"""

from __future__ import annotations

from array_api_compat.torch import astype, concat, eye, float32, reshape, stack, tensordot, zeros
from array_api_compat.torch import sum as sum  # noqa: A004, PLC0414
from torch import movedim as moveaxis

__all__ = ["astype", "concat", "eye", "float32", "moveaxis", "reshape", "stack", "sum", "tensordot", "zeros"]
