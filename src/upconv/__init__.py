"""Transposed convolution for every array library: one call, the right answer, in the library of the array."""

from __future__ import annotations

from upconv._api import conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d, output_shape
from upconv._conv import conv, conv1d, conv2d, conv3d, conv_weight
from upconv._explain import Explanation, explain
from upconv._vjp import vjp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from upconv._diagram import diagram

__all__ = [
    "Explanation",
    "__version__",
    "conv",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "conv_weight",
    "diagram",
    "explain",
    "output_shape",
    "vjp",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `diagram` when it is first asked for: most programs never draw."""
    if name != "diagram":
        raise AttributeError(f"module 'upconv' has no attribute {name!r}")
    from upconv._diagram import diagram

    return globals().setdefault(name, diagram)
