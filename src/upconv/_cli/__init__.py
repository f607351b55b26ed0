"""The commands. Beside the core they need NumPy and rich, and `demo` matplotlib: ``pip install "upconv[demo]"``."""

from __future__ import annotations

__all__ = ["CommandError", "Wrong"]


class CommandError(Exception):
    """What keeps a command from running, in one line for the person who called it."""


class Wrong(Exception):  # noqa: N818  a finding, not an error of the command
    """A result that is not the reference's, in one line."""
