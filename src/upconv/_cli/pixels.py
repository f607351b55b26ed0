"""The pixels of an image file, of whatever kind it is, as three colours from 0 to 1."""

from __future__ import annotations

import warnings
from math import ceil, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from upconv._cli import CommandError

__all__ = ["Photo", "read"]

# Upsampled pixels: the float64 oracle of so many takes about half a gigabyte.
LARGEST = 6_000_000
# Pixels of a file: so many take one to two gigabytes to decode and convert. A dozen bytes may claim any number.
MOST = 150_000_000


class Photo(NamedTuple):
    """(3, H, W) in float32 from 0 to 1, and what was done to the file's values, in a sentence each."""

    pixels: Any
    remarks: tuple[str, ...]


def read(path: Path, factor: int) -> Photo:
    """Read a photograph, upright, on white where it is transparent, and small enough to be upsampled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's about sizes and metadata: what cannot be read is an error
        try:
            with Image.open(path) as file:
                _refuse_huge(file.size)
                image = ImageOps.exif_transpose(file)
                times = _times(image.size, factor)
                pixels, remarks = _colours(image, file.format, times)
        except Exception as error:  # what Pillow raises depends on the format of the file
            raise CommandError(f"cannot read {path} as an image: {_words(error)}") from error
    if times > 1:
        remarks += (f"The photograph was reduced {times} times first, to bound the memory that the oracle takes.",)
    return Photo(np.ascontiguousarray(np.moveaxis(pixels, -1, 0), dtype=np.float32), remarks)


def _refuse_huge(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST:
        raise ValueError(f"it has {size[0]} by {size[1]} pixels, more than the {MOST} of the demo")


def _times(size: tuple[int, int], factor: int) -> int:
    """How many times smaller an image must be."""
    times = max(1, ceil(factor * sqrt(size[0] * size[1] / LARGEST)))
    while factor**2 * ceil(size[0] / times) * ceil(size[1] / times) > LARGEST:  # a side of few pixels stays as it is
        times += 1
    return times


def _colours(image: Image.Image, kind: str | None, times: int) -> tuple[Any, tuple[str, ...]]:
    """(H, W, 3), and what was done to the values."""
    if image.mode[0] in "IF":  # grey ones of 16 or 32 bits, which Pillow would clip to 8
        values, remarks = _grey(image, kind)
        reduced = Image.fromarray(values).reduce(times)
        return np.repeat(np.asarray(reduced)[..., None], 3, axis=-1), remarks
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB").reduce(times), dtype=np.float32) / np.float32(255), ()


def _grey(image: Image.Image, kind: str | None) -> tuple[Any, tuple[str, ...]]:
    """Values in float32, from 0 to 1 by what the mode says of white, or stretched where it says nothing."""
    values = np.asarray(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and kind == "PNG"):
        return (values / 65535).astype(np.float32), ()
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("it has values that are inf or NaN")
    if image.mode == "F" and low >= 0 and high <= 1:
        return values.astype(np.float32), ()
    stretched = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    return stretched.astype(np.float32), (f"The photograph's values, {low:g} to {high:g}, were stretched to 0 to 1.",)


def _words(error: Exception) -> str:
    """An error in one line, which Pillow's may lack."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "Pillow knows no such format (of float and 16-bit files it reads grey ones)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than the {MOST} pixels of the demo"
    return str(error) or type(error).__name__
