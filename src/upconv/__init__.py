"""Transposed convolution for every array library: one call, the right answer, in the library of the array."""

from upconv._api import conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d, output_shape
from upconv._diagram import diagram
from upconv._explain import Explanation, explain

__all__ = [
    "Explanation",
    "__version__",
    "conv_transpose",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "diagram",
    "explain",
    "output_shape",
]

__version__ = "0.1.0"
