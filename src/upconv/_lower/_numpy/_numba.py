"""What the compiled lowerings share: whether there is a compiler, and what they are compiled for."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

__all__ = ["COMPILED", "missing"]

# Of each dtype a program is compiled at its first call, some seconds long; then it is kept on disk.
COMPILED = ("float32", "float64")


@lru_cache(maxsize=1)
def missing() -> str:
    """Say what is missing to compile with."""
    return "" if find_spec("numba") else "a call without Numba, which is not installed: pip install 'upconv[numba]'"
