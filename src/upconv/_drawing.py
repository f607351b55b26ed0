"""What `diagram` draws. Imported by its call alone, because it imports matplotlib.

Everything is in pairs, row then column: a picture of one axis is one of two, with a single row.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from upconv._grid import MARGIN, Grid
from upconv._plan import Plan

__all__ = ["draw"]

# Okabe and Ito's colours, which the colour-blind tell apart, over a scale of one hue.
COPY, EXTRA, INK, FAINT = "#D55E00", "#009E73", "#222222", "#777777"
PLAIN: dict[str, Any] = {"facecolor": "#E4E4E4", "edgecolor": "white"}
CHOSEN: dict[str, Any] = {"facecolor": COPY, "edgecolor": "white"}
TAP: dict[str, Any] = {"facecolor": "#F6C9A8", "edgecolor": "white"}
CROPPED: dict[str, Any] = {"facecolor": "#F4F4F4", "edgecolor": "#CCCCCC", "hatch": "////", "linewidth": 0.5}
APPENDED: dict[str, Any] = {"facecolor": "white", "edgecolor": EXTRA, "hatch": "....", "linewidth": 0.5}
HEADING, LEGEND = 1.0, 0.35  # inches, above the grids and below
WIDTH, LARGEST = 8.0, 0.5  # inches, of a new figure, and of a sample


def draw(figure: Any, plan: Plan, counts: Any, marked: tuple[int, ...], extra: tuple[int, ...], title: str) -> Any:
    """Draw input, kernel and output; ``counts`` is the output with all that is cropped from it."""
    lift = 2 - plan.rank
    size, kernel, s, d, out = ((1,) * lift + n for n in (plan.size, plan.kernel, plan.stride, plan.dilation, plan.out))
    lo, hi, marked, extra = ((0,) * lift + n for n in (plan.lo, plan.hi, marked, extra))
    counts = counts.reshape((1,) * lift + counts.shape)
    extent = (d[0] * (kernel[0] - 1) + 1, d[1] * (kernel[1] - 1) + 1)
    full = tuple((i - 1) * step + e for i, step, e in zip(size, s, extent, strict=True))
    shapes = {"input": size, "kernel": extent, "output": counts.shape}
    figure, (left, middle, right) = _grids(figure, shapes, (plan.size, plan.kernel, plan.out))

    for place in product(*map(range, size)):
        left.cell(place, 1, "white" if place == marked else INK, **(CHOSEN if place == marked else PLAIN))
    taps = [(r * d[0], c * d[1]) for r, c in product(*map(range, kernel))]
    for place in taps:
        middle.cell(place, 1, INK, **TAP)
    middle.frame((0, 0), extent, edgecolor=FAINT, linestyle=":")
    middle.steps((0, 0), d, [k > 1 and step > 1 for k, step in zip(kernel, d, strict=True)], "dilation", INK)

    origin = tuple(max(0, -n) for n in lo)  # of the first copy, among the samples drawn
    first = tuple(max(0, n) for n in lo)  # of the samples kept
    for place in product(*map(range, counts.shape)):
        kept = all(a <= n < a + b for n, a, b in zip(place, first, out, strict=True))
        appended = not all(a <= n < a + b for n, a, b in zip(place, origin, full, strict=True))
        heat = {"facecolor": colormaps["Blues"](0.62 * counts[place] / counts.max()), "edgecolor": "white"}
        right.cell(
            place, counts[place], INK if kept else FAINT, **(CROPPED if not kept else APPENDED if appended else heat)
        )
    right.frame(first, out, edgecolor=INK, linewidth=2.2)
    corner = tuple(a + p * step for a, p, step in zip(origin, marked, s, strict=True))
    for r, c in taps:
        right.frame((corner[0] + r, corner[1] + c), (1, 1), inset=0.1, edgecolor=COPY, linewidth=1.8)
    # To the next copy, or from the one before where the marked sample is the last.
    tail = tuple(a - (p + 1 == i) * step for a, p, i, step in zip(corner, marked, size, s, strict=True))
    right.steps(tail, s, [i > 1 for i in size], "stride", COPY)
    for axis in range(lift, 2):
        below, start, stop = axis == 1, first[axis], first[axis] + out[axis]
        right.measure(start, stop, str(out[axis]), INK, below=below)
        if lo[axis] > 0:
            right.measure(0, start, f"lo {lo[axis]}", FAINT, below=below)
        if hi[axis] > 0:
            right.measure(stop, counts.shape[axis], f"hi {hi[axis]}", FAINT, below=below)
        if extra[axis]:
            ends = [(first[0], first[0] + out[0]), (first[1], first[1] + out[1])]
            ends[axis] = (stop - extra[axis], stop)
            corner, sides = tuple(a for a, _ in ends), tuple(b - a for a, b in ends)
            right.frame(corner, sides, inset=0.05, edgecolor=EXTRA, linewidth=2.2)
    _words(figure, plan, title, any(extra))
    return figure


def _grids(figure: Any, shapes: dict[str, Any], sizes: tuple[Any, ...]) -> tuple[Any, list[Grid]]:
    """Lay the grids side by side at one scale, as large as the figure allows, each under its name and size."""
    across = [max(3, columns) + 2 * MARGIN for _, columns in shapes.values()]
    down = max(rows for rows, _ in shapes.values()) + 2 * MARGIN
    if figure is None:
        inches = min(LARGEST, WIDTH / sum(across))
        figure = Figure(figsize=(WIDTH, HEADING + LEGEND + down * inches), dpi=100)
    width, height = figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
    inches = min(LARGEST, width / sum(across), (height - HEADING - LEGEND) / down)
    edge = (1 - sum(across) * inches / width) / 2
    grids = []
    for (label, shape), size, cells in zip(shapes.items(), sizes, across, strict=True):
        box = (edge, LEGEND / height, cells * inches / width, 1 - (HEADING + LEGEND) / height)
        grids.append(Grid(figure, box, label, shape, inches))
        name = f"{label} {' × '.join(map(str, size))}"
        figure.text(edge + box[2] / 2, 1 - HEADING / height, name, ha="center", va="bottom", fontsize=10, color=INK)
        edge += box[2]
    return figure, grids


def _words(figure: Any, plan: Plan, title: str, extra: bool) -> None:
    height = figure.bbox.height / figure.dpi
    figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=12, color=INK, family="monospace")
    sums = []
    for axis in range(plan.rank):
        i, k, s, d, lo, hi, out = (
            n[axis] for n in (plan.size, plan.kernel, plan.stride, plan.dilation, plan.lo, plan.hi, plan.out)
        )
        crops = "".join(f" {'−' if n >= 0 else '+'} {abs(n)}" for n in (lo, hi))
        sums.append(f"({i} − 1)·{s} + {d}·({k} − 1) + 1{crops} = {out}")
    lines = [f"size = (i − 1)·s + d·(k − 1) + 1 − lo − hi:   {',   '.join(dict.fromkeys(sums))}"]
    figure.text(0.5, 1 - 0.36 / height, lines[0], ha="center", va="top", fontsize=9.5, color=INK)
    handles = [
        Patch(**CHOSEN, label="one input sample"),
        Patch(fill=False, edgecolor=COPY, label="its copy of the kernel"),
    ]
    if any(n > 0 for n in plan.lo + plan.hi):
        handles.append(Patch(**CROPPED, label="cropped"))
    if any(n < 0 for n in plan.lo + plan.hi):
        handles.append(Patch(**APPENDED, label="zeros appended"))
    if extra:
        handles.append(Patch(fill=False, edgecolor=EXTRA, label="output_padding"))
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=9)
