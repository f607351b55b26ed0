"""What `diagram` draws with: its colours. The folder is imported by a call alone, because it needs matplotlib."""

from typing import Any

__all__ = ["APPENDED", "CHOSEN", "COPY", "CROPPED", "EXTRA", "FAINT", "INK", "NEIGHBOUR", "PLAIN", "TAP"]

# Okabe and Ito's colours, which the colour-blind tell apart, over a scale of one hue.
COPY, EXTRA, INK, FAINT = "#D55E00", "#009E73", "#222222", "#777777"
PLAIN: Any = {"facecolor": "#E4E4E4", "edgecolor": "white"}
CHOSEN: Any = {"facecolor": COPY, "edgecolor": "white"}
TAP: Any = {"facecolor": "#F6C9A8", "edgecolor": "white"}
CROPPED: Any = {"facecolor": "#F4F4F4", "edgecolor": "#CCCCCC", "hatch": "////", "linewidth": 0.5}
APPENDED: Any = {"facecolor": "white", "edgecolor": EXTRA, "hatch": "....", "linewidth": 0.5}
NEIGHBOUR: Any = {"edgecolor": COPY, "linestyle": "--"}
