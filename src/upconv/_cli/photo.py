"""Draw a photograph beside its upsampled self, or save the latter alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.cbook
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from upconv._cli import CommandError

__all__ = ["draw", "sample", "save"]


def sample() -> Path:
    """The photograph that comes with matplotlib."""
    return Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


def save(upsampled: Any, path: Path) -> None:
    """Save the upsampled photograph alone, in 8 bits."""
    pixels = np.rint(np.clip(np.moveaxis(upsampled, 0, -1), 0, 1) * 255).astype(np.uint8)
    try:
        Image.fromarray(pixels).save(path)
    except Exception as error:  # what Pillow raises depends on the format of the file
        raise CommandError(f"cannot write {path}: {error}") from error


def draw(photo: Any, upsampled: Any, factor: int, path: Path) -> None:
    """Draw and save a picture: the pixels on the left, upsampled on the right, the whole above and a detail below."""
    left, right = (np.clip(np.moveaxis(image, 0, -1), 0, 1) for image in (photo, upsampled))
    height, width = left.shape[:2]
    # Above the middle, where a portrait has its eyes.
    across, down = (max(1, min(height, width) * percent // 100) for percent in (28, 19))
    top, start = (height - down) * 32 // 100, (width - across) * 53 // 100
    detail = left[top : top + down, start : start + across]
    wide = right[top * factor : (top + down) * factor, start * factor : (start + across) * factor]

    ratios = (min(3, height / width), down / across)
    figure = Figure(figsize=(12, 6 * sum(ratios) + 0.6), dpi=150, layout="constrained")
    axes = figure.subplots(2, 2, height_ratios=ratios)
    panels = {
        f"The photograph: {_size(left)} pixels": left,
        f"Upsampled by a transposed convolution: {_size(right)}": right,
        f"Its detail: {_size(detail)}": detail,
        f"Upsampled: {_size(wide)}": wide,
    }
    for axis, (title, image) in zip(axes.flat, panels.items(), strict=True):
        axis.imshow(image, interpolation="nearest")
        axis.set_title(title, fontsize=14)
        axis.set_axis_off()
    axes[0, 0].add_patch(
        Rectangle((start - 0.5, top - 0.5), across, down, fill=False, edgecolor="white", linewidth=1.5)
    )
    try:
        figure.savefig(path)
    except Exception as error:  # what a writer raises depends on the format of the file
        raise CommandError(f"cannot write {path}: {error}") from error


def _size(image: Any) -> str:
    height, width = image.shape[:2]
    return f"{width} \N{MULTIPLICATION SIGN} {height}"
