"""The next number that no thread has taken, in LLVM's own words: Numba has none that threads agree upon."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

__all__ = ["take"]


@intrinsic  # type: ignore[untyped-decorator]
def take(context: Any, address: Any) -> Any:
    """Return the number at the address, and leave the next one there, in one step."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], args[0].type.as_pointer())
        return builder.atomic_rmw("add", place, args[0].type(1), "monotonic")

    return types.intp(types.intp), emit
