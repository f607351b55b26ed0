"""A picture of all speeds: a row for each layer, one line at 1, a panel for each library and dtype."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["draw"]


def draw(results: dict[str, Any], path: Path) -> None:
    """Save the picture."""
