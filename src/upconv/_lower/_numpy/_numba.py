"""What the compiled lowerings share: whether there is a compiler, what they are compiled for, and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

__all__ = ["DTYPES", "compiled", "missing"]

# Of each a program is compiled at its first call, some seconds long; then it is kept on disk.
DTYPES = ("float32", "float64")


@lru_cache(maxsize=1)
def missing() -> str:
    """Say what is missing to compile with."""
    return "" if find_spec("numba") else "a call without Numba, which is not installed: pip install 'upconv[numba]'"


def compiled(**words: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function to be compiled at its first call, and to let other threads run meanwhile."""
    from numba import njit

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, **words)(function)
        except RuntimeError:  # there is no directory that it may write to: each process compiles anew
            return njit(nogil=True, **words)(function)

    return decorate
