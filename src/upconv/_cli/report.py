"""The table that the commands print."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from upconv._cli.console import Printer

__all__ = ["Report", "ulp"]


class Report:
    """Columns of text, of numbers, and a verdict, narrow enough for a terminal of 80 characters."""

    def __init__(self, title: str, texts: Sequence[str], numbers: Sequence[str]) -> None:
        self.console = Printer()
        self.table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), title_style="bold")
        for name in ("library", *texts):
            self.table.add_column(name, no_wrap=True)
        for name in numbers:
            self.table.add_column(name, justify="right", max_width=12)
        self.table.add_column("verdict", no_wrap=True)
        self.compared = 0
        self.remarks: list[str] = []
        self.faults: list[str] = []

    def add(self, library: str, *cells: str, fault: str) -> None:
        """Add the row of a comparison; a fault, where it is not empty, is printed below the table."""
        self.table.add_row(library, *cells, "[red]wrong" if fault else "[green]agrees")
        self.compared += 1
        self.faults += [fault] if fault else []

    def skip(self, library: str, *cells: str, verdict: str, why: str) -> None:
        """Add the row of what was not compared; why is a line below the table."""
        empty = len(self.table.columns) - len(cells) - 2
        self.table.add_row(library, *cells, *[""] * empty, verdict, style="dim")
        self.remarks.append(why)

    def print(self, legend: str) -> None:
        """Print rows, remarks, legend and faults."""
        self.console.table(self.table)
        for line in self.remarks:
            self.say(line, style="dim")
        self.say(f"\n{legend}")
        for fault in self.faults:
            self.say(f"\n{fault}", style="red")

    def say(self, line: str, style: str = "") -> None:
        """Print a line as it is, so that it can be copied."""
        self.console.line(line, style)


def ulp(error: float) -> str:
    """Write an error in units in the last place."""
    return f"{error:.3g} ulp"
