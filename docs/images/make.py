"""Draw the pictures of the README: `python docs/images/make.py` in the root of the repository."""

from io import BytesIO
from pathlib import Path

from PIL import Image

import upconv

PICTURES = {
    "stride": {"size": 3, "kernel": 3, "stride": 2},
    "padding": {"size": 3, "kernel": 3, "stride": 2, "padding": 1},
    "output_padding": {"size": 3, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1},
    "dilation": {"size": 3, "kernel": 3, "dilation": 2},
    "pairs": {"size": 3, "kernel": (3, 2), "stride": 2, "padding": ((0, 1), (2, -1))},
}


def main() -> None:
    """Write each in 128 colours, at a third of the bytes."""
    for name, words in PICTURES.items():
        drawn = BytesIO()
        upconv.diagram(**words).savefig(drawn, format="png")
        Image.open(drawn).convert("RGB").quantize(128).save(Path(__file__).with_name(f"{name}.png"), optimize=True)


if __name__ == "__main__":
    main()
