"""A picture of all speeds: a row for each layer, one line at 1, a panel for each library and dtype."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from upconv._bench.ratios import geometric_mean

__all__ = ["draw"]

# Told apart by colour and by form.
VERBS = {"forward": ("#1f6f8b", "o"), "dx": ("#e08e2b", "D"), "dweight": ("#a23b72", "s")}
INK, FAINT, SLOWER, FASTER = "#333333", "#8a8a8a", "#fbeeee", "#eef6ee"
WIDTH, ROW, HEAD, DPI = 8.3, 0.235, 1.25, 200
PANELS = 4  # beside each other
TICKS = (1 / 100, 1 / 30, 1 / 10, 1 / 4, 1 / 2, 1, 2, 4, 10, 30, 100, 300, 1000)

Row = Mapping[str, Any]


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Save the picture in any format that matplotlib knows."""
    panels: dict[tuple[str, str], list[Row]] = {}
    for row in results["rows"]:
        panels.setdefault((row["library"], row["dtype"]), []).append(row)
    layers = list(dict.fromkeys(row["layer"] for row in results["rows"]))
    columns = min(len(panels), PANELS)
    lines = -(-len(panels) // columns)
    with mpl.rc_context({"font.family": "sans-serif", "font.size": 8, "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure((WIDTH, lines * (ROW * len(layers) + HEAD)), layout="constrained", facecolor="white")
        grid = figure.subplots(lines, columns, squeeze=False, sharey=True, sharex=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, (key, rows) in zip(grid.flat, panels.items(), strict=False):
            _panel(axes, key, rows, layers, named=len(panels) == 1)
        machine = results["machine"]
        figure.supxlabel(
            f"{machine['cpu']}, {machine['threads']} threads, {results['date'][:10]}", fontsize=7, color=FAINT
        )
        figure.savefig(path, dpi=DPI)


def _panel(axes: Any, key: tuple[str, str], rows: list[Row], layers: list[str], *, named: bool) -> None:
    """Draw one library in one dtype."""
    known = [row for row in rows if row["speed"]]
    verbs = list(dict.fromkeys(row["verb"] for row in rows))
    for verb in verbs:
        found = [row for row in known if row["verb"] == verb]
        colour, form = VERBS[verb]
        mean = f", mean {geometric_mean(row['speed'] for row in found):.2f}×" if found else ""
        places = [layers.index(row["layer"]) for row in found]
        words = {"s": 26, "color": colour, "marker": form, "edgecolors": "white", "linewidths": 0.6, "zorder": 3}
        axes.scatter([row["speed"] for row in found], places, label=f"{verb}{mean}", **words)
    axes.set_xscale("log")
    speeds = [row["speed"] for row in known] or [1]
    left, right = min(0.45, *speeds) / 1.25, max(2.2, *speeds) * 1.25
    old = axes.get_xlim() if axes.get_shared_x_axes().get_siblings(axes)[1:] else (left, right)
    axes.set_xlim(min(left, old[0]), max(right, old[1]))
    axes.axvspan(1e-4, 1, color=SLOWER, zorder=0, linewidth=0)
    axes.axvspan(1, 1e5, color=FASTER, zorder=0, linewidth=0)
    axes.axvline(1, color=INK, linewidth=1, zorder=1)
    axes.set_yticks(range(len(layers)), layers)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(TICKS)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×" if value >= 1 else f"1/{1 / value:.0f}×"))
    axes.grid(axis="y", color="white", linewidth=1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(" ".join(key), fontsize=9, fontweight="bold", loc="left")
    axes.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, -0.2))


