"""Where the commands print: nothing is cut off, whatever stdout is."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table  # noqa: TC002  as its neighbours

__all__ = ["Printer"]


class Printer(Console):  # type: ignore[misc]  # rich is optional, and Any to the type checker
    """A console whose tables are never narrower than their text, and whose reader may leave."""

    def table(self, table: Table) -> None:
        """Print a table. Where the terminal is narrower, it breaks the lines, and every cell can still be read."""
        natural = Measurement.get(self, self.options.update(max_width=1000), table).maximum
        width = self.size.width
        self.width = max(width, natural)
        try:
            self.print(table)
        finally:
            self.width = width

    def line(self, text: str, style: str = "") -> None:
        """Print a line as it is, so that it can be copied."""
        self.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `main`: rich would exit with 1, which says that a result is wrong."""
        raise BrokenPipeError
