"""What the generic lowering asks of the array API, for PyTorch: array-api-compat's, but for a few functions.

`torch.moveaxis` fails under `torch.func.vmap`, which has no rule for it; `torch.movedim` is the same, and has one.
"""

from __future__ import annotations

from typing import Any

import torch
from array_api_compat.torch import astype, concat, eye, float32, reshape, stack, tensordot, zeros
from array_api_compat.torch import sum as sum  # noqa: A004, PLC0414
from torch import movedim as moveaxis
from torch import real

__all__ = [
    "astype",
    "concat",
    "eye",
    "float32",
    "imag",
    "join",
    "moveaxis",
    "real",
    "reshape",
    "stack",
    "sum",
    "tensordot",
    "zeros",
]


def imag(array: Any) -> Any:
    """Imaginary part, in memory: of a conjugated tensor PyTorch gives a view whose sign is a bit of the tensor."""
    return torch.imag(array).resolve_neg()


def join(re: Any, im: Any, dtype: Any) -> Any:
    """Make a complex tensor of two real ones."""
    return torch.complex(re, im)
