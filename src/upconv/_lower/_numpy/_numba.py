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


@lru_cache(maxsize=1)
def missing() -> str:
    """Say what is missing to compile with. It holds for the process: calls are remembered with what it led to."""
    if not find_spec("numba"):
        return "a call without Numba, which is not installed: pip install 'upconv[numba]'"
    return "a call while Numba's compiler is switched off, by NUMBA_DISABLE_JIT" if _is_switched_off() else ""


def _is_switched_off() -> bool:
    """Ask Numba where it is loaded, or has settings in a file; otherwise read what it would, and save half a second."""
    if "numba" in sys.modules or Path(".numba_config.yaml").exists():
        from numba import config

        return bool(config.DISABLE_JIT)
    with suppress(ValueError):  # at which Numba warns, and goes on
        return bool(int(os.environ.get("NUMBA_DISABLE_JIT") or 0))
    return False


def compiled(**words: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function to be compiled at its first call, and to let other threads run meanwhile."""
    from numba import config, njit

    from upconv._lower._numpy._cached import Cache

    def decorate(function: Callable[..., Any]) -> Any:
        # Whether to compile was settled by `missing`: what is half compiled fails.
        switched_off, config.DISABLE_JIT = config.DISABLE_JIT, 0
        try:
            made = njit(nogil=True, **words)(function)
        finally:
            config.DISABLE_JIT = switched_off
        with suppress(RuntimeError):  # there is no directory that it may write to: each process compiles anew
            made._cache = Cache(function)  # noqa: SLF001  what `cache=True` does, with Numba's own
        return made

    return decorate
