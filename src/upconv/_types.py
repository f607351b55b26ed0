"""The types of the public signatures, by names that cost nothing until someone asks for one.

Annotations are strings, and `typing.get_type_hints` looks up their names where the function is defined. There, this
module is ``t``, and ``t.PerAxis`` is an attribute that it fetches when asked: an import of `typing` takes as long as
all of ``import upconv``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from matplotlib.figure import Figure, SubFigure

    from upconv._typedefs import (
        Algorithm,
        Array,
        DataFormat,
        Ints,
        LinearOperator,
        Padding,
        PerAxis,
        Pullback,
        Shape,
        SparseMatrix,
    )

__all__ = [
    "Algorithm",
    "Any",
    "Array",
    "DataFormat",
    "Figure",
    "Ints",
    "LinearOperator",
    "Padding",
    "PerAxis",
    "Pullback",
    "Shape",
    "SparseMatrix",
    "SubFigure",
]


def __getattr__(name: str) -> Any:
    """Fetch one of these names; no other, for Python and its tools ask modules for many."""
    if name not in __all__:
        raise AttributeError(f"module 'upconv._types' has no attribute {name!r}")
    from upconv import _typedefs

    return getattr(_typedefs, name)
