"""Draw the README's pictures, into the folder of this script."""

from pathlib import Path

from upconv import diagram

PICTURES = {
    "stride": {"size": (3, 4), "kernel": (3, 2), "stride": (2, 3)},
    "padding": {"size": 3, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1},
    "dilation": {"size": 3, "kernel": (3, 2), "dilation": (2, 3), "padding": ((1, 1), (0, -1))},
}

if __name__ == "__main__":
    for name, arguments in PICTURES.items():
        diagram(**arguments).savefig(Path(__file__).with_name(f"{name}.png"))
