"""Photographs, as pictures and as numbers, and how far one is from another.

They come inside the wheel of scikit-image, so nothing is downloaded, and are free to use: the astronaut and the rocket
are in the public domain, by NASA and SpaceX; CC0 are the coffee by Rachel Michetti, the cat by Stefan van der Walt and
the cameraman by Lav Varshney.
"""

import numpy as np
from PIL import Image
from skimage import data


def read(name, multiple=1):
    """One of scikit-image's photographs, cropped so that `multiple` divides its sides."""
    photo = Image.fromarray(getattr(data, name)())
    return photo.crop((0, 0, photo.width // multiple * multiple, photo.height // multiple * multiple))


def shrink(photo, factor):
    """What a camera with so many times fewer pixels on each side would have seen."""
    return photo.resize((photo.width // factor, photo.height // factor), Image.Resampling.BICUBIC)


def bicubic(photo, factor):
    """Enlarged by cubic interpolation: what others are measured by."""
    return photo.resize((photo.width * factor, photo.height * factor), Image.Resampling.BICUBIC)


def blocks(photo, factor):
    """Enlarged so that its pixels can be seen."""
    return photo.resize((photo.width * factor, photo.height * factor), Image.Resampling.NEAREST)


def planes(photo):
    """(colours, 1, H, W) from 0 to 1: each colour is a sample of a batch, with one channel."""
    pixels = np.asarray(photo, dtype=np.float32) / 255
    return np.moveaxis(np.atleast_3d(pixels), -1, 0)[:, None]


def picture(planes):
    """The picture of such planes, rounded to 8 bits."""
    pixels = np.moveaxis(np.asarray(planes)[:, 0], 0, -1)
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


def psnr(photo, original):
    """Peak signal-to-noise ratio of 8-bit pictures, in dB."""
    error = np.asarray(photo, dtype=float) - np.asarray(original, dtype=float)
    return 10 * np.log10(255**2 / (error**2).mean())
