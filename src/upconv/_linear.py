"""The transposed convolution as linear algebra: its matrix, and an operator that never forms it."""

from __future__ import annotations

from importlib import import_module
from math import prod

import upconv._types as t
from upconv._api import conv_transpose
from upconv._arguments import MAX_ELEMENTS, exact_shape
from upconv._conv import conv
from upconv._dispatch import run_matrix
from upconv._entries import sparse_matrix
from upconv._operands import common_library
from upconv._plan import Plan
from upconv._plans import plan_for
from upconv._variables import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, overload

__all__ = ["as_matrix", "linear_operator"]

# Where the sparse matrices of a library's arrays are.
SPARSE = {"numpy": "scipy", "cupy": "cupyx.scipy"}


if TYPE_CHECKING:

    @overload
    def as_matrix(
        weight: t.Array,
        x_shape: t.Shape,
        stride: t.PerAxis = 1,
        padding: t.Padding = 0,
        output_padding: t.PerAxis = 0,
        groups: int = 1,
        dilation: t.PerAxis = 1,
        *,
        output_size: t.PerAxis | None = None,
        data_format: t.DataFormat = "channels_first",
        dense: Literal[True],
    ) -> t.Array: ...
    @overload
    def as_matrix(
        weight: t.Array,
        x_shape: t.Shape,
        stride: t.PerAxis = 1,
        padding: t.Padding = 0,
        output_padding: t.PerAxis = 0,
        groups: int = 1,
        dilation: t.PerAxis = 1,
        *,
        output_size: t.PerAxis | None = None,
        data_format: t.DataFormat = "channels_first",
        dense: bool = False,
    ) -> t.SparseMatrix[t.Array] | Any: ...


def as_matrix(
    weight: t.Array,
    x_shape: t.Shape,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    output_padding: t.PerAxis = 0,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    *,
    output_size: t.PerAxis | None = None,
    data_format: t.DataFormat = "channels_first",
    dense: bool = False,
) -> t.SparseMatrix[t.Array] | t.Any:
    r"""Return the matrix of the map from ``x.ravel()`` to ``conv_transpose(x, weight, ...).ravel()``.

    Its transpose is the matrix of `conv`, and each of its columns holds one copy of the kernel.

    Parameters
    ----------
    weight : array, shape (C_in, C_out // groups, \*kernel)
        As in `conv_transpose`.
    x_shape : sequence of int
        Shape of one image, without the batch: (C_in, \*size), or as ``data_format`` says.
    stride, padding, output_padding, groups, dilation, output_size, data_format
        As in `conv_transpose`.
    dense : bool, default False
        Ask for a dense array on NumPy and CuPy too.

    Returns
    -------
    scipy.sparse.csr_array, cupyx.scipy.sparse.csr_matrix or array, shape (prod(y_shape), prod(x_shape))
        Sparse for NumPy's and CuPy's arrays, whose sparse matrices are SciPy's and CuPy's, with an entry for each tap
        that an input sample sends into the output. On other libraries, a dense array of the library. Of weight's dtype.

    Raises
    ------
    ImportError
        If a sparse matrix is due and SciPy is not installed.
    TypeError, ValueError
        As `conv_transpose`; SciPy has no sparse matrices of float16 or bfloat16.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> weight = np.asarray([[[1, 2, 3]]])
    >>> upconv.as_matrix(weight, (1, 2), stride=2).toarray()
    array([[1, 0],
           [2, 0],
           [3, 1],
           [0, 2],
           [0, 3]])
    """
    (weight,) = plain(weight)
    library = common_library(weight, name="weight").name
    plan = _plan(x_shape, weight, stride, padding, output_padding, groups, dilation, output_size, data_format)
    if dense or library not in SPARSE:
        rows, columns = prod(plan.image_shape), prod(plan.sample_shape)
        if rows * columns > MAX_ELEMENTS:
            raise ValueError(
                f"`x_shape` {tuple(x_shape)} makes a dense matrix of {rows} by {columns}, more than {MAX_ELEMENTS} "
                f"elements; `conv_transpose` needs no matrix"
            )
        return run_matrix(plan, weight)
    sparse = _scientific("as_matrix", library, "sparse")
    csr = getattr(sparse, "csr_array", None) or sparse.csr_matrix  # CuPy has the older class
    return sparse_matrix(plan, weight, csr)


def linear_operator(
    weight: t.Array,
    x_shape: t.Shape,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    output_padding: t.PerAxis = 0,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    *,
    output_size: t.PerAxis | None = None,
    data_format: t.DataFormat = "channels_first",
) -> t.LinearOperator[t.Array]:
    r"""Return the map of `as_matrix` as a ``LinearOperator``, for `scipy.sparse.linalg`'s solvers: no matrix is formed.

    Parameters
    ----------
    weight : array of NumPy or CuPy, shape (C_in, C_out // groups, \*kernel)
        As in `conv_transpose`, floating or complex.
    x_shape, stride, padding, output_padding, groups, dilation, output_size, data_format
        As in `as_matrix`.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator or cupyx.scipy.sparse.linalg.LinearOperator
        Of shape (prod(y_shape), prod(x_shape)). ``matvec`` and ``matmat`` are transposed convolutions, the columns of
        a matrix being a batch; ``rmatvec`` and ``rmatmat`` are convolutions with the conjugated weight, so ``op.H`` is
        the strided convolution itself. They compute in the wider dtype of weight and vector.

    Raises
    ------
    ImportError
        If SciPy is not installed.
    TypeError, ValueError
        As `conv_transpose`; and for another library's weight, which has no ``LinearOperator``.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> from scipy.sparse.linalg import lsqr
    >>> operator = upconv.linear_operator(np.asarray([[[1.0, 2.0, 1.0]]]), (1, 5), stride=2)
    >>> operator.shape
    (11, 5)
    >>> x = np.asarray([3.0, 1.0, 4.0, 1.0, 5.0])
    >>> np.round(lsqr(operator, operator @ x)[0], 6)
    array([3., 1., 4., 1., 5.])
    """
    (weight,) = plain(weight)
    library = common_library(weight, name="weight").name
    plan = _plan(x_shape, weight, stride, padding, output_padding, groups, dilation, output_size, data_format)
    linalg = _scientific("linear_operator", library, "sparse.linalg")
    words = {"padding": tuple(zip(plan.lo, plan.hi, strict=True)), "dilation": plan.dilation}
    words |= {"stride": plan.stride, "groups": plan.groups, "data_format": data_format}
    kernel: Any = weight
    conjugated = kernel.conj()

    forward = _Columnwise(conv_transpose, plan.sample_shape, weight, words)
    adjoint = _Columnwise(conv, plan.image_shape, conjugated, words)

    return linalg.LinearOperator(
        (prod(plan.image_shape), prod(plan.sample_shape)),
        matvec=forward,
        rmatvec=adjoint,
        matmat=forward,
        rmatmat=adjoint,
        dtype=weight.dtype,
    )


def _plan(x_shape: Any, weight: Any, *geometry: Any) -> Plan:
    sample, rank = exact_shape("x_shape", x_shape), len(weight.shape) - 2
    if rank > 0 and len(sample) != rank + 1:
        raise ValueError(
            f"`x_shape` must have {rank + 1} axes, those of one image without the batch, for a `weight` of "
            f"{rank + 2}; got {len(sample)} axes, {sample}"
        )
    return plan_for(None, (1, *sample), weight.shape, None, *geometry)[0]


class _Columnwise:
    """A call on the columns of a matrix as a batch of images: a class, because no closure can be pickled."""

    def __init__(self, function: Any, shape: Sequence[int], weight: Any, words: dict[str, Any]) -> None:
        self.function, self.shape, self.weight, self.words = function, shape, weight, words

    def __call__(self, v: Any) -> Any:
        """Compute in the wider precision, since SciPy's solvers work in float64; what is real stays real."""
        weight, shape = self.weight, self.shape
        both = weight[:0].ravel() + v[:0].ravel()
        batch = 1 if v.ndim == 1 else v.shape[1]
        images = v.reshape(prod(shape), batch).T.astype(_precise(v, both)).reshape(batch, *shape)
        y = self.function(images, weight.astype(_precise(weight, both), copy=False), **self.words)
        return y.reshape(batch, prod(y.shape[1:])).T.reshape(prod(y.shape[1:]), *v.shape[1:])


def _precise(array: Any, both: Any) -> Any:
    """The dtype of ``both``, or its real one for an array that is real."""
    return both.dtype if array.dtype.kind == "c" else both.real.dtype


def _scientific(name: str, library: str, module: str) -> Any:
    """Import SciPy's module, or CuPy's of the same name."""
    if library not in SPARSE:
        raise TypeError(f"`{name}` takes a `weight` of NumPy or CuPy, got one of {library}; `as_matrix` takes any")
    try:
        return import_module(f"{SPARSE[library]}.{module}")
    except ImportError as error:
        raise ImportError(f'`{name}` needs SciPy: pip install "upconv[scipy]"') from error
