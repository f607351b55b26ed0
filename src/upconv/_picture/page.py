"""The page of a picture: where its grids stand, and the words above and below them."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from upconv._picture import APPENDED, CHOSEN, COPY, CROPPED, EXTRA, INK, NEIGHBOUR
from upconv._picture.grid import MARGIN, Grid
from upconv._plan import Plan

__all__ = ["lay_grids", "write_words"]

HEADING, LEGEND = 0.85, 0.35  # inches, above the grids and below
WIDTH, LARGEST = 8.0, 0.5  # inches, of a new figure, and of a sample


def lay_grids(figure: Any, names: tuple[str, ...], shapes: tuple[tuple[int, ...], ...]) -> tuple[Any, list[Grid]]:
    """Lay the grids side by side at one scale, as large as the figure allows."""
    across = [max(3, columns) + 2 * MARGIN for _, columns in shapes]
    down = max(rows for rows, _ in shapes) + 2 * MARGIN
    if figure is None:
        inches = min(LARGEST, WIDTH / sum(across))
        figure = Figure(figsize=(WIDTH, HEADING + LEGEND + down * inches), dpi=100)
    width, height = figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
    inches = min(LARGEST, width / sum(across), (height - HEADING - LEGEND) / down)
    edge = (1 - sum(across) * inches / width) / 2
    grids = []
    for name, shape, cells in zip(names, shapes, across, strict=True):
        box = (edge, LEGEND / height, cells * inches / width, 1 - (HEADING + LEGEND) / height)
        grids.append(Grid(figure, box, name.partition(" ")[0], shape, inches))
        figure.text(edge + box[2] / 2, 1 - HEADING / height, name, ha="center", va="bottom", fontsize=10, color=INK)
        edge += box[2]
    return figure, grids


def write_words(figure: Any, plan: Plan, title: str, *, uncovered: bool) -> None:
    """Write the call and its arithmetic above, and what the colours mean below, as large as the width allows."""
    width, height = figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
    axes = zip(plan.size, plan.stride, plan.dilation, plan.kernel, plan.lo, plan.hi, plan.out, strict=True)
    sums = [f"({i} − 1)·{s} + {d}·({k} − 1) + 1{_less(lo)}{_less(hi)} = {n}" for i, s, d, k, lo, hi, n in axes]
    line = f"size = (i − 1)·s + d·(k − 1) + 1 − lo − hi:   {',   '.join(dict.fromkeys(sums))}"
    middle: Any = {"ha": "center", "va": "top", "color": INK}
    figure.text(0.5, 1 - 0.08 / height, title, fontsize=min(12, 115 * width / len(title)), family="monospace", **middle)
    figure.text(0.5, 1 - 0.36 / height, line, fontsize=min(9.5, 125 * width / len(line)), **middle)
    signs = plan.lo + plan.hi
    entries: list[tuple[Any, bool]] = [
        (Patch(**CHOSEN, label="one input sample"), True),
        (Patch(fill=False, edgecolor=COPY, label="its copy of the kernel"), True),
        (Patch(fill=False, **NEIGHBOUR, label="its neighbour's"), plan.size[-1] > 1),
        (Patch(**CROPPED, label="cropped"), any(n > 0 for n in signs)),
        (Patch(**APPENDED, label="zeros appended"), any(n < 0 for n in signs)),
        (Patch(fill=False, edgecolor=EXTRA, label="output_padding"), uncovered),
    ]
    handles = [patch for patch, there in entries if there]
    # All in one row: of six entries, the letters are a little smaller.
    row: Any = {"ncols": len(handles), "frameon": False, "columnspacing": 1.2, "handlelength": 1.6}
    figure.legend(
        handles=handles, loc="lower center", fontsize=min(9, 48 / len(handles)) * min(1, width / WIDTH), **row
    )


def _less(crop: int) -> str:
    return f" − {crop}" if crop >= 0 else f" + {-crop}"
