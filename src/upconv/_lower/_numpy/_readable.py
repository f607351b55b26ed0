"""Operands as compiled code reads them, whatever memory they come in."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["readable"]


def readable(array: Any, dtype: Any) -> Any:
    """Return the elements one after the other: of a native dtype, aligned, without gaps, and not marked read-only.

    Compiled code takes addresses, and Numba tells an array apart by what it was called with before: a big-endian array
    passes for a native one after an unaligned one, and a function is compiled anew, for a second or more, for each
    operand that is read-only.
    """
    line = np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(-1)
    flags = line.flags
    if flags.behaved:  # aligned and writeable
        return line
    return np.asarray(_Lent(line)) if flags.aligned else line.copy()


class _Lent:
    """The memory of a read-only array, as if it could be written to: compiled code only reads its operands."""

    def __init__(self, array: Any) -> None:
        self.array = array
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = array.__array_interface__ | {"data": (address, False)}
