"""From a specialisation to a function on a device, compiled when it is first needed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import cupy

from upconv._lower._cupy._form import Spec

__all__ = ["kernel", "options", "source"]


@lru_cache(maxsize=1)
def source() -> str:
    """The text, the same for every specialisation."""
    folder = Path(__file__).parent
    return "\n".join((folder / name).read_text() for name in ("instructions.cu", "conv_transpose.cu"))


def options(spec: Spec) -> tuple[str, ...]:
    """What the compiler is told. The kernels' names stay as they are: CuPy compiles templates anew in each process."""
    return ("-std=c++17", *(f"-D{name}={value}" for name, value in spec.macros))


@lru_cache(maxsize=1024)
def kernel(device: int, spec: Spec) -> Any:
    """Compile for the current device, whose number is ``device``, or load what CuPy compiled before."""
    return cupy.RawModule(code=source(), options=options(spec)).get_function(spec.kernel)
