"""A picture of all speeds: a row for each layer, a line at 1, a panel for each library and dtype."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from upconv._bench.ratios import geometric_mean
from upconv._bench.report import milliseconds

__all__ = ["draw"]

Row = Mapping[str, Any]

# Told apart by colour, by form and by height.
VERBS = {"forward": ("#1b6ca8", "o", -0.2), "dx": ("#e08214", "D", 0.0), "dweight": ("#8e3b8a", "s", 0.2)}
NAMES = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow", "onnxruntime": "ONNX Runtime"}
INK, FAINT, SLOWER, FASTER = "#222222", "#777777", "#fdf1f0", "#eff7f0"
WIDTH, ROW, HEAD, DPI = 8.3, 0.25, 1.1, 200  # inches: a README is 8.3 wide at 100 points an inch
PANELS = 4  # beside each other at most
TICKS = (1, 10, 1 / 10, 100, 1 / 100, 1000, 2, 1 / 2, 3, 1 / 3, 5, 1 / 5, 30, 1 / 30)  # the first that have room
FAR_RIGHT = {"va": "center", "fontsize": 7, "color": FAINT}
FONTS = {"font.family": "sans-serif", "font.size": 8, "text.color": INK, "ytick.color": INK, "xtick.color": FAINT}


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Save the picture, in any format that matplotlib knows."""
    panels: dict[tuple[str, str], list[Row]] = {}
    for row in results["rows"]:
        panels.setdefault((row["library"], row["dtype"]), []).append(row)
    layers = list(dict.fromkeys(row["layer"] for row in results["rows"]))
    verbs = [verb for verb in VERBS if any(row["verb"] == verb for row in results["rows"])]
    lines = -(-len(panels) // PANELS)
    columns = -(-len(panels) // max(1, lines))
    with mpl.rc_context(FONTS):
        figure = Figure((WIDTH, lines * (ROW * len(layers) + HEAD)), layout="constrained", facecolor="white")
        grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, (key, rows) in zip(grid.flat, panels.items(), strict=False):
            speeds = [row["speed"] for row in rows if row["speed"]]
            _stage(axes, key, layers, (min([0.5, *speeds]) / 1.3, max([2.0, *speeds]) * 1.3), 3 + 8 // columns)
            _panel(axes, rows, layers, verbs, alone=len(panels) == 1)
        _captions(figure, results, verbs)
        figure.savefig(path, dpi=DPI)


def _stage(axes: Any, key: tuple[str, str], layers: list[str], ends: tuple[float, float], room: int) -> None:
    """Draw the scale: faster than the best other on the right, slower on the left."""
    axes.set_xscale("log")
    axes.set_xlim(ends)
    axes.axvspan(ends[0], 1, color=SLOWER, zorder=0, linewidth=0)
    axes.axvspan(1, ends[1], color=FASTER, zorder=0, linewidth=0)
    axes.axvline(1, color=INK, linewidth=0.9, zorder=2)
    axes.set_yticks(range(len(layers)), layers)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    ticks: list[float] = []
    for tick in TICKS:
        apart = log(ends[1] / ends[0]) / room
        if ends[0] < tick < ends[1] and all(abs(log(tick / other)) >= apart for other in ticks):
            ticks.append(tick)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g}×" if value >= 1 else f"1/{1 / value:.0f}×")
    )
    axes.hlines(range(len(layers)), *ends, color="white", linewidth=1.2, zorder=1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    library, dtype = key
    axes.set_title(f"{NAMES[library]}, {dtype}", fontsize=9, loc="left", fontweight="bold")


def _panel(axes: Any, rows: list[Row], layers: list[str], verbs: list[str], *, alone: bool) -> None:
    """Draw the points of one library, and write how fast it is in the mean."""
    means = []
    for verb in verbs:
        found = [row for row in rows if row["verb"] == verb and row["speed"]]
        if not found:
            continue
        colour, form, height = VERBS[verb]
        places = [layers.index(row["layer"]) + (height if len(verbs) > 1 else 0) for row in found]
        words = {"color": colour, "marker": form, "edgecolors": "white", "linewidths": 0.5, "zorder": 3}
        axes.scatter([row["speed"] for row in found], places, s=30 if form == "o" else 22, **words)
        mean = geometric_mean(row["speed"] for row in found)
        means.append(f"{verb} {mean:.2f}×")
        if alone and len(verbs) == 1:
            for row, place in zip(found, places, strict=True):
                axes.text(1.01, place, _versus(row), FAR_RIGHT | {"transform": axes.get_yaxis_transform()})
    other = "its own op" if rows[0]["library"] != "numpy" else "the best other"
    axes.set_xlabel("\n".join((f"mean over {other}:", *means)) if means else "no other", fontsize=8, color=INK)


def _versus(row: Row) -> str:
    found, best = row["contenders"], row["best"]
    ours, theirs = (milliseconds(found[name]["seconds"]) for name in ("upconv", best))
    return f"{ours} against {theirs} ms, {NAMES[best]}"


def _captions(figure: Any, results: Mapping[str, Any], verbs: list[str]) -> None:
    """Say what is drawn, where and when."""
    marks = [Line2D([], [], linestyle="", marker=VERBS[verb][1], color=VERBS[verb][0], markersize=5) for verb in verbs]
    figure.legend(marks, verbs, ncols=3, loc="outside upper right", frameon=False, fontsize=8)
    figure.suptitle(
        "How many times as fast upconv is: right of the line it is faster",
        x=0.01,
        ha="left",
        fontsize=10,
        fontweight="bold",
    )
    machine = results["machine"]
    where = f"{machine['cpu']}; {machine['threads']} threads; {results['date'][:10]}"
    figure.supxlabel(where, fontsize=6.5, color=FAINT, x=0.99, ha="right")
