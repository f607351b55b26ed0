"""`explain`: what a call would do, without doing it."""

from __future__ import annotations

import sys
from collections import namedtuple
from math import prod

import upconv._types as t
from upconv._dispatch import resolve
from upconv._libraries import dtype_name, itemsize
from upconv._mixed import mixed_note, real_operands
from upconv._operands import autocast, untraced
from upconv._variables import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Explanation", "explain"]


class Explanation(namedtuple("Explanation", "library version algorithm reason output_shape workspace")):
    """What `explain` found; printing it gives one line for each field.

    Attributes
    ----------
    library, version : str
        The library that owns ``x``, and its version here.
    algorithm : str
        The name that ``algorithm=`` takes.
    reason : str
        How it computes this call, why those preferred to it do not, and in which calls an inf or a NaN may leave its
        receptive field: it stays there where nothing is said.
    output_shape : tuple of int
        Shape of the result.
    workspace : int
        Bytes that upconv allocates beyond the result: an estimate, in which a library's own op counts nothing.
    """

    __slots__ = ()

    library: str
    version: str
    algorithm: t.Algorithm
    reason: str
    output_shape: t.Ints
    workspace: int

    def __str__(self) -> str:
        rows = {
            "library": f"{self.library} {self.version}",
            "algorithm": self.algorithm,
            "reason": self.reason,
            "output shape": self.output_shape,
            "workspace": f"{self.workspace:,} bytes",
        }
        return "\n".join(f"{name:12}  {value}" for name, value in rows.items())


def explain(
    x: t.Array,
    weight: t.Array,
    bias: t.Array | None = None,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    output_padding: t.PerAxis = 0,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    *,
    output_size: t.PerAxis | None = None,
    data_format: t.DataFormat = "channels_first",
    algorithm: t.Algorithm = "auto",
) -> Explanation:
    """Tell which algorithm a call to `conv_transpose` would run, and why, from shapes and dtypes alone.

    Parameters
    ----------
    x, weight, bias, stride, padding, output_padding, groups, dilation, output_size, data_format, algorithm
        As in `conv_transpose`. No value is looked at, so ``x`` may be a traced or a meta array.

    Returns
    -------
    Explanation
        The library, the algorithm, the reason, the shape of the output and the bytes of workspace.

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose`.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> x, weight = np.ones((1, 8, 5, 7), "float16"), np.ones((8, 4, 3, 2), "float16")
    >>> found = upconv.explain(x, weight, stride=2)
    >>> found.algorithm, found.output_shape
    ('overlap_add', (1, 4, 11, 14))
    """
    geometry = (stride, padding, output_padding, groups, dilation, output_size, data_format)
    x, weight, bias = autocast(*plain(x, weight, bias))
    mixed = real_operands(x, weight, bias)
    note = (mixed_note(x, weight),) if mixed else ()
    if mixed:
        (x, _), (weight, _), (bias, _) = mixed
    library, plan, batched, route = untraced(resolve, None, x, weight, bias, algorithm, *geometry)
    batch = 1 if not batched or x.shape[0] is None else x.shape[0]  # a graph may not know it: bytes of one image, then
    size = itemsize(dtype_name(library, x.dtype))
    return Explanation(
        library=library.name,
        version=sys.modules[library.module.partition(".")[0]].__version__,
        algorithm=route.algorithm,
        reason="; ".join((*note, route.lowering.reason(plan), *route.refusals, *_leaks(route.lowering))),
        output_shape=(*x.shape[:batched], *plan.image_shape),
        workspace=route.lowering.workspace(plan, batch, size) + len(note) * 2 * size * batch * prod(plan.image_shape),
    )


def _leaks(lowering: Any) -> tuple[str, ...]:
    where = [f"in {verb} one in {operands}" for verb, operands in getattr(lowering, "LEAKS", {}).items()]
    return (f"an inf or a NaN may leave its receptive field: {', '.join(where)}",) if where else ()
