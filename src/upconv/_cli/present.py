"""The libraries that can be used here, one after the other, and a word in the report about each other one."""

from __future__ import annotations

from collections.abc import Iterator

from upconv._cli import advice
from upconv._cli.arrays import Arrays
from upconv._cli.libraries import Broken, Missing, load
from upconv._cli.report import Report
from upconv._libraries import LIBRARIES, Library

__all__ = ["present"]


def present(report: Report) -> Iterator[tuple[Library, Arrays]]:
    """Yield each library that can be used; then remark on the others: one line for all that are not installed."""
    missing = []
    for library in LIBRARIES:
        try:
            arrays = load(library.name)
        except Missing:
            missing.append(library.name)
        except Broken as why:
            report.skip(library.name, verdict="broken", why=str(why))
        else:
            yield library, arrays
    if missing:
        report.remarks.append(advice.install(missing))
