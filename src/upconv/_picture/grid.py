"""One grid of samples in a picture: cells, frames, arrows. Places are (row, column), in samples, from the top left."""

from __future__ import annotations

from typing import Any

from matplotlib.patches import Rectangle

__all__ = ["MARGIN", "Grid"]

MARGIN = 1.5  # samples around each grid, for arrows and labels


class Grid:
    """Axes with one unit for each sample, whose fonts follow the size of a sample, ``inches``."""

    def __init__(self, figure: Any, box: Any, label: str, shape: tuple[int, ...], inches: float) -> None:
        self.axes = figure.add_axes(box, label=label)
        self.axes.set_axis_off()
        width, height = box[2] * figure.bbox.width, box[3] * figure.bbox.height
        across, down = (n / figure.dpi / inches for n in (width, height))
        self.axes.set_xlim(shape[1] / 2 - across / 2, shape[1] / 2 + across / 2)
        self.axes.set_ylim(shape[0] / 2 + down / 2, shape[0] / 2 - down / 2)
        self.points = min(12.0, 72 * inches * 0.45)
        self.shape = shape

    def cell(self, place: tuple[int, ...], number: Any, color: str, **style: Any) -> None:
        """Fill one sample and write its number; the number's gid is its place."""
        row, column = place
        self.axes.add_patch(Rectangle((column, row), 1, 1, **style))
        middle = {"ha": "center", "va": "center_baseline", "fontsize": self.points}
        self.axes.text(column + 0.5, row + 0.5, str(number), color=color, gid=f"{row},{column}", **middle)

    def frame(self, place: tuple[int, ...], shape: tuple[int, ...], inset: float = 0.0, **style: Any) -> None:
        """Outline some samples."""
        corner = place[1] + inset, place[0] + inset
        sides = shape[1] - 2 * inset, shape[0] - 2 * inset
        self.axes.add_patch(Rectangle(corner, *sides, fill=False, **style))

    def steps(self, place: tuple[int, ...], step: tuple[int, ...], draw: list[bool], name: str, color: str) -> None:
        """Draw arrows above and left of the grid, ``step`` samples from the middle of ``place``."""
        row, column = (n + 0.5 for n in place)
        arrow = {"arrowstyle": "-|>", "color": color, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.6}
        label = {"color": color, "fontsize": max(8.0, self.points), "fontweight": "bold"}
        if draw[1]:
            self.axes.annotate("", (column + step[1], -0.3), (column, -0.3), arrowprops=arrow)
            self.axes.text(column + step[1] / 2, -0.55, f"{name} {step[1]}", ha="center", va="bottom", **label)
        if draw[0]:
            self.axes.annotate("", (-0.3, row + step[0]), (-0.3, row), arrowprops=arrow)
            label["rotation"] = 90
            self.axes.text(-0.55, row + step[0] / 2, f"{name} {step[0]}", ha="right", va="center", **label)

    def measure(self, start: int, stop: int, text: str, color: str, *, below: bool) -> None:
        """Write a length below the grid, or right of it, on a line from ``start`` to ``stop``."""
        far = self.shape[0 if below else 1]
        line, words = far + 0.35, far + 0.55
        ends = {"color": color, "linewidth": 1.4, "marker": "|" if below else "_", "markersize": 5}
        label = {"color": color, "fontsize": max(7.0, 0.9 * self.points)}
        if below:
            self.axes.plot([start, stop], [line, line], **ends)
            self.axes.text((start + stop) / 2, words, text, ha="center", va="top", **label)
        else:
            self.axes.plot([line, line], [start, stop], **ends)
            self.axes.text(
                words, (start + stop) / 2, text, ha="left", va="center", rotation=0 if text.isdigit() else -90, **label
            )
