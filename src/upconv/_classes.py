"""Arrays that mean more than their elements, by class: an attribute of that name may be anyone's."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["is_masked", "means_more"]

# Where masked arrays are found.
MASKED = (("numpy.ma", "MaskedArray"), ("torch.masked", "MaskedTensor"))


def is_masked(array: Any) -> bool:
    """Whether some elements of an array do not count: its class says so, and no attribute, which any may have."""
    for module, name in MASKED:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(array, kind):
            return True
    return False


def means_more(array: Any) -> bool:
    """Whether an array is of a subclass of NumPy's that answers for itself where NumPy's functions are called.

    Or no subclass at all, but an object that says it is one, as a mock does.
    """
    base = getattr(sys.modules.get("numpy"), "ndarray", None)
    if base is None or type(array) is base or not isinstance(array, base):
        return False
    if not issubclass(type(array), base):
        return True
    ours, theirs = base, type(array)
    own = theirs.__array_function__ is not ours.__array_function__ or theirs.__array_ufunc__ is not ours.__array_ufunc__
    return bool(own)
