"""Read a photograph, and draw it beside its upsampled self."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.cbook
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps

from upconv._cli import CommandError

__all__ = ["draw", "read"]

# Upsampled pixels: the float64 oracle of so many takes about half a gigabyte.
LARGEST = 6_000_000
SAMPLE = "grace_hopper.jpg"


def read(path: Path | None, factor: int) -> tuple[Any, int]:
    """Return (3, H, W) in float32 from 0 to 1, and how many times smaller than the file it is."""
    source = matplotlib.cbook.get_sample_data(SAMPLE, asfileobj=False) if path is None else path
    try:
        image = ImageOps.exif_transpose(Image.open(source))
        times = max(1, int(np.ceil(factor * np.sqrt(image.width * image.height / LARGEST))))
        if image.mode.startswith("I"):  # 16 bits, which Pillow would clip to 8
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("RGB").reduce(times)
    except Exception as error:  # what Pillow raises depends on the format of the file
        raise CommandError(f"cannot read {source} as an image: {error}") from error
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)), times


def draw(photo: Any, upsampled: Any, factor: int, path: Path) -> None:
    """Save a picture: the pixels on the left, upsampled on the right, the whole above and a detail below."""
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
        FigureCanvasAgg(figure).print_png(path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error}") from error


def _size(image: Any) -> str:
    height, width = image.shape[:2]
    return f"{width} \N{MULTIPLICATION SIGN} {height}"
