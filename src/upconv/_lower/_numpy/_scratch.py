"""Memory for what compiled code lays out and adds up."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._tables import LINE

__all__ = ["scratch"]


@compiled()
def scratch(n: int, like: Any) -> Any:
    """Return n numbers of a dtype, whatever they are, that begin with a line of the cache."""
    memory = np.empty(n + LINE // like.itemsize, like.dtype)
    first = -memory.ctypes.data % LINE // like.itemsize
    return memory[first : first + n]
