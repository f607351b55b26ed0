"""What the commands do with the arrays of a library, the same for most."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import numpy as np

__all__ = ["Arrays"]


class Arrays:
    """Make arrays from NumPy's values, and get them back; a subclass says what its library does otherwise."""

    module: str

    def __init__(self) -> None:
        self.xp: Any = import_module(self.module)
        self.version = str(import_module(self.module.partition(".")[0]).__version__)

    def makes(self, dtype: str) -> bool:
        """Whether `make` can make this dtype, one of the library's, on this machine."""
        return True

    def make(self, values: Any, dtype: str) -> Any:
        """Make an array, rounding to a dtype that is named as in the standard."""
        return self.xp.asarray(values, dtype=getattr(self.xp, dtype))

    def finish(self, y: Any) -> Any:
        """Wait for a result, or have it computed."""
        return y

    def to_numpy(self, y: Any) -> Any:
        """Copy a finished result, exactly."""
        return np.asarray(y)

    def device(self, x: Any) -> str:
        """Where the array is."""
        return str(getattr(x, "device", "cpu"))

    def settings(self) -> AbstractContextManager[None]:
        """What must be set for float64 to be float64, and float32 to be multiplied as such, while arrays are used."""
        return nullcontext()

    def once(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Prepare a call that runs once, so that it takes little time."""
        return call

    def own(self, x: Any, weight: Any, stride: int, crop: int) -> Any:
        """The library's own depthwise op in two dimensions, one group a channel; None if it has none."""
        return None
