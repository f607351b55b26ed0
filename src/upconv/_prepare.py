"""`prepare`: a weight, laid out once for many calls."""

from __future__ import annotations

import upconv._types as t
from upconv._libraries import lowerings
from upconv._operands import common_library
from upconv._variables import plain

__all__ = ["prepare"]


def prepare(weight: t.Array) -> t.Array:
    r"""Return what may stand in place of ``weight`` in many calls, so that none of them lays it out again.

    Where a library's algorithm reads the weight in a layout of its own, as CuPy's raw kernel does, the result keeps
    that layout from the first call that needs it: another stride or number of groups may need another, which is kept
    too. It holds a copy of the weight's values: a later change of the weight does not reach it. Where there is nothing
    to lay out, the result is ``weight`` itself.

    Parameters
    ----------
    weight : array, shape (C_in, C_out // groups, \*kernel)
        As in `conv_transpose`.

    Returns
    -------
    array, or an object in its place
        To be passed as ``weight``, and nothing else; it has the ``shape``, ``dtype`` and ``device`` of the array.

    Raises
    ------
    TypeError
        If ``weight`` is not an array of a library and a dtype in the README's table.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> x, weight = np.ones((1, 2, 3)), np.ones((2, 4, 5))
    >>> weight = upconv.prepare(weight)
    >>> upconv.conv_transpose1d(x, weight, stride=2).shape
    (1, 4, 9)
    """
    (weight,) = plain(weight)
    library = common_library(weight, name="weight")
    for lowering in lowerings(library.name).values():
        laid_out = getattr(lowering, "prepare", None)
        if laid_out is not None:
            return laid_out(weight)
    return weight
