"""Transposed convolution for every array library: one call, the right answer, in the library of the array."""

from __future__ import annotations

from upconv._api import conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d, output_shape
from upconv._conv import conv, conv1d, conv2d, conv3d, conv_weight
from upconv._explain import Explanation, explain
from upconv._prepare import prepare
from upconv._vjp import vjp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from upconv._diagram import diagram
    from upconv._linear import as_matrix, linear_operator

__all__ = [
    "Explanation",
    "__version__",
    "as_matrix",
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
    "linear_operator",
    "output_shape",
    "prepare",
    "vjp",
]

__version__ = "0.1.0"


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet among them."""
    return __all__


if not TYPE_CHECKING:  # type checkers see the imports above, and report every other name

    def __getattr__(name: str) -> object:
        """Import what few programs ask for when it is first asked for."""
        if name == "diagram":
            from upconv._diagram import diagram

            return globals().setdefault(name, diagram)
        if name in ("as_matrix", "linear_operator"):
            from upconv import _linear

            return globals().setdefault(name, getattr(_linear, name))
        raise AttributeError(f"module 'upconv' has no attribute {name!r}")
