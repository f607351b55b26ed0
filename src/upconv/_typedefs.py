"""What the names in the public signatures mean. `upconv._types` loads this file when a name is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, SupportsIndex, TypeVar

__all__ = [
    "Algorithm",
    "Array",
    "DataFormat",
    "HasShape",
    "Ints",
    "LinearOperator",
    "Padding",
    "PerAxis",
    "Pullback",
    "Shape",
    "SparseMatrix",
]


class HasShape(Protocol):
    """What the arrays of all libraries share: enough to tell one from a list or a number."""

    @property
    def shape(self) -> Any:
        """One size for each axis."""

    @property
    def dtype(self) -> Any:
        """The type of the elements."""


Array = TypeVar("Array", bound=HasShape)

# An element that `operator.index` takes, so that NumPy's integers are ints here as they are in a call.
PerAxis = SupportsIndex | Sequence[SupportsIndex]
Shape = Sequence[SupportsIndex]
Ints = tuple[int, ...]
Padding = Literal["same", "valid"] | SupportsIndex | Sequence[SupportsIndex | tuple[SupportsIndex, SupportsIndex]]
DataFormat = Literal["channels_first", "channels_last"]
# 'auto', and each algorithm in the table of libraries.
Algorithm = Literal[
    "auto", "direct", "fft", "generic", "lhs_dilation", "loops", "native", "overlap_add", "raw", "sub_pixel"
]


class Pullback(Protocol[Array]):
    """The second result of `vjp`."""

    def __call__(self, cotangent: Array, /) -> tuple[Array, Array, Array | None]:
        """Return the cotangents of x, weight and bias; the last is None where the call had no bias."""
        ...


class SparseMatrix(Protocol[Array]):
    """What SciPy's and CuPy's sparse matrices share of what a user of `as_matrix` asks for."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def dtype(self) -> Any:
        """The type of the elements."""

    @property
    def nnz(self) -> int:
        """Entries that are stored."""

    @property
    def T(self) -> SparseMatrix[Array]:  # noqa: N802  SciPy's name
        """The transpose."""

    def toarray(self) -> Array:
        """Return the dense matrix."""
        ...

    def __matmul__(self, other: Array, /) -> Array: ...


class LinearOperator(Protocol[Array]):
    """What SciPy's and CuPy's classes of this name share."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def dtype(self) -> Any:
        """The type of the elements."""

    @property
    def H(self) -> LinearOperator[Array]:  # noqa: N802  SciPy's name
        """The adjoint."""

    @property
    def T(self) -> LinearOperator[Array]:  # noqa: N802  SciPy's name
        """The transpose."""

    def matvec(self, x: Array, /) -> Array:
        """Apply the operator to a vector."""
        ...

    def rmatvec(self, x: Array, /) -> Array:
        """Apply the adjoint to a vector."""
        ...

    def matmat(self, X: Array, /) -> Array:
        """Apply the operator to each column."""
        ...

    def rmatmat(self, X: Array, /) -> Array:
        """Apply the adjoint to each column."""
        ...

    def __matmul__(self, other: Array, /) -> Array: ...


def __getattr__(name: str) -> Any:
    """Matplotlib's figures, which only `diagram` has in its signature; anything where it is not installed."""
    if name not in ("Figure", "SubFigure"):
        raise AttributeError(f"module 'upconv._typedefs' has no attribute {name!r}")
    try:
        from matplotlib import figure
    except ImportError:
        return Any
    return getattr(figure, name)
