"""Numba's cache of compiled functions, which outlives damaged files: what cannot be read is compiled anew."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from numba.core.caching import FunctionCache

__all__ = ["Cache"]


class Cache(FunctionCache):  # type: ignore[misc]
    """A cache whose files may be cut short, as by a full disk or a process that was killed, or not be writable.

    Numba's own raises pickle's errors at each call, until someone deletes the file.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled before, or None."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001  of bytes that are not what it wrote, pickle raises whatever they spell
            with suppress(Exception):
                self.flush()  # an index that cannot be read could not be added to
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, where it can be kept."""
        with suppress(Exception):
            super().save_overload(sig, data)
