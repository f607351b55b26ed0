"""What was found, in tables."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from upconv._bench.ratios import group, restlessness

__all__ = ["Report", "milliseconds"]

COLUMNS = ("upconv", "the best other", "speed", "× limit", "memory")
RESTLESS = 0.3  # quartiles so far apart, of the median: rounds of one call differ by a tenth on a quiet machine
LEGEND = (
    "Milliseconds of a call, medians. speed: the best other's time over upconv's, above 1 upconv is faster. × limit: "
    "upconv's time over the longer of a bare matrix product and one pass over all bytes. memory: MiB at the peak, "
    "beyond operands and result: upconv's, then the best other's."
)


class Report:
    """Tables for a terminal of 80 characters."""

    def __init__(self) -> None:
        self.console = Console()

    def print(self, results: dict[str, Any]) -> None:
        """Print a table for each library, dtype and verb, the means, and what could not be measured."""
        for (library, dtype, verb), rows in group(results["rows"]).items():
            table = _table(f"{library}, {verb}, {dtype}", "layer", *COLUMNS)
            for row in rows:
                table.add_row(row["layer"], *_cells(row))
            self.console.print(table)
        self.say(LEGEND)
        self.console.print(_means(results["summary"]))
        for row in results["summary"]:
            if row["beyond_memory"]:
                self.say(f"{_title(row)}: more than 32 MiB in {', '.join(row['beyond_memory'])}")
        restless = [f"{row['layer']} ({_title(row)})" for row in results["rows"] if restlessness(row) > RESTLESS]
        if restless:
            self.say(f"The machine was restless, measure again: {', '.join(restless)}", style="yellow")
        for line in _faults(results["rows"]):
            self.say(line, style="red" if " wrong: " in line else "dim")

    def say(self, line: str, style: str = "") -> None:
        """Print a line as it is, so that it can be copied."""
        self.console.print(line, style=style, markup=False, highlight=False)


def milliseconds(seconds: float) -> str:
    """Three digits, or all of an integer."""
    return f"{seconds * 1e3:.3g}" if seconds < 0.1 else f"{seconds * 1e3:.0f}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), title_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name == columns[0] else "right", no_wrap=True)
    return table


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    found, best = row["contenders"], row["best"]
    ours = found.get("upconv", {})
    other = f"{best} {milliseconds(found[best]['seconds'])}" if best else "none"
    speed = row["speed"]
    colour = "" if speed is None else "green" if speed >= 1 else "yellow" if speed >= 1 / 2 else "red"
    return (
        milliseconds(ours["seconds"]) if "seconds" in ours and "rounds" in ours else "failed",
        other,
        f"[{colour}]{speed:.2f}[/]" if speed else "",
        f"{row['over_limit']:.1f}" if row["over_limit"] else "",
        " / ".join(_mebibytes(found[name].get("memory")) for name in ("upconv", best) if name in found),
    )


def _mebibytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 2**20:.0f}"


def _title(row: dict[str, Any]) -> str:
    return f"{row['library']}, {row['verb']}, {row['dtype']}"


def _means(rows: list[dict[str, Any]]) -> Table:
    table = _table("Geometric means", "", "layers", "speed", "slowest", "× limit")
    for row in rows:
        worst = f"{row['speed_worst']:.2f} {row['speed_worst_layer']}" if "speed_worst" in row else ""
        means = [f"{row[f'{name}_mean']:.2f}" if f"{name}_mean" in row else "" for name in ("speed", "over_limit")]
        cells = (str(row["speed_layers"]), means[0], worst, means[1])
        table.add_row(_title(row), *cells)
    return table


def _faults(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each contender and finding, with the layers that it is about."""
    layers: dict[tuple[str, str], list[str]] = {}
    every = Counter(map(_title, rows))
    for row in rows:
        for name, found in row["contenders"].items():
            why = f"wrong: {found['wrong']}" if "wrong" in found else found.get("unable", found.get("memory_unable"))
            if why:
                layers.setdefault((_title(row), f"{name}: {why}"), []).append(row["layer"])
    return [
        f"{title}: {finding} ({', '.join(names) if len(names) < every[title] else 'every layer'})"
        for (title, finding), names in layers.items()
    ]
