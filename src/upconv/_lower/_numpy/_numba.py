"""What the compiled lowerings share: whether there is a compiler, what they are compiled for, and how."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["DTYPES", "compiled", "missing"]

# Of each a program is compiled at its first call, some seconds long; then it is kept on disk.
DTYPES = ("float32", "float64")


def missing() -> str:
    """Say what is missing to compile with."""
    if not _is_installed():
        return "a call without Numba, which is not installed: pip install 'upconv[numba]'"
    return "a call while Numba's compiler is switched off, by NUMBA_DISABLE_JIT" if _is_switched_off() else ""


@lru_cache(maxsize=1)
def _is_installed() -> bool:
    return find_spec("numba") is not None


def _is_switched_off() -> bool:
    """Read the variable, as Numba does anew before it compiles; it has settings of its own where it is loaded.

    Half of what is compiled here has no meaning as Python. Importing Numba to ask it takes half a second.
    """
    with suppress(ValueError):  # of a word that is no number, at which Numba warns
        if int(os.environ.get("NUMBA_DISABLE_JIT") or 0):
            return True
    if "numba" in sys.modules or Path(".numba_config.yaml").exists():
        from numba import config

        return bool(config.DISABLE_JIT)
    return False


def compiled(**words: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function to be compiled at its first call, and to let other threads run meanwhile."""
    from numba import njit

    from upconv._lower._numpy._cached import Cache

    def decorate(function: Callable[..., Any]) -> Any:
        made = njit(nogil=True, **words)(function)
        with suppress(RuntimeError):  # there is no directory that it may write to: each process compiles anew
            made._cache = Cache(function)  # noqa: SLF001  what `cache=True` does, with Numba's own
        return made

    return decorate
