"""The shared matrix: named geometries, asymmetric on purpose. strategies.py draws the others.

A case states where its first output sample lies (``lo``) and the size (``out``) as numbers, not by a formula of upconv.
"""

import json
from dataclasses import dataclass, field, replace
from importlib import resources

import numpy as np

import oracle


@dataclass(frozen=True)
class Case:
    name: str
    x: tuple  # (N, C_in, *size)
    weight: tuple  # (C_in, C_out/groups, *kernel)
    lo: tuple
    out: tuple
    arguments: dict = field(default_factory=dict)
    bias: bool = True
    is_layer: bool = False

    @property
    def rank(self):
        return len(self.x) - 2

    @property
    def groups(self):
        return self.arguments.get("groups", 1)

    @property
    def geometry(self):
        """stride, dilation, groups, lo, out, as the oracle takes them."""

        def each(name):
            value = self.arguments.get(name, 1)
            return (value,) * self.rank if isinstance(value, int) else value

        return each("stride"), each("dilation"), self.groups, self.lo, self.out

    def but(self, lo, out, **words):
        """The same with another crop, in these words."""
        return replace(self, lo=lo, out=out, arguments=self.arguments | words)

    def arrays(self, dtype="float64", seed=0):
        """Random x, weight and bias, as NumPy arrays; small integers where the dtype has no fractions."""
        rng = np.random.default_rng([seed, *self.x, *self.weight])
        shapes = (self.x, self.weight, (self.weight[1] * self.groups,) if self.bias else None)

        def draw(shape):
            if shape is None:
                return None
            if np.dtype(dtype).kind in "iu":
                return rng.integers(0 if np.dtype(dtype).kind == "u" else -9, 10, shape).astype(dtype)
            values = rng.standard_normal(shape)
            if np.dtype(dtype).kind == "c":
                values = values + 1j * rng.standard_normal(shape)
            return values.astype(dtype)

        return tuple(map(draw, shapes))

    def __str__(self):
        return self.name


def _layer(layer):
    """A real layer with its geometry whole and its channels few, so that loops can follow it."""
    groups = layer["groups"]
    ins = layer["x"][1] if groups > 4 else min(layer["x"][1], 3 * groups)
    outs = layer["weight"][1] if groups > 1 else min(layer["weight"][1], 2)
    rank = len(layer["x"]) - 2
    size = tuple(min(n, (40, 7, 4)[rank - 1] + axis) for axis, n in enumerate(layer["x"][2:]))
    kernel = tuple(min(k, 64) for k in layer["weight"][2:])
    each = {name: value if isinstance(value, list) else [value] * rank for name, value in layer.items()}
    full = oracle.full(size, kernel, each["stride"], each["dilation"])
    out = (n - 2 * p + op for n, p, op in zip(full, each["padding"], each["output_padding"], strict=True))
    arguments = {name: layer[name] for name in ("stride", "padding", "output_padding", "dilation", "groups")}
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    if groups > 4:
        ins, arguments["groups"] = 5, 5
    x = (min(layer["x"][0], 2), ins, *size)
    return Case(layer["name"], x, (ins, outs, *kernel), tuple(each["padding"]), tuple(out), arguments, is_layer=True)


LAYERS = json.loads(resources.files("upconv").joinpath("_bench", "layers.json").read_text())

CASES = [
    # The notebooks.
    Case("notebook-2x2", (1, 1, 2, 2), (1, 1, 2, 2), (0, 0), (3, 3), bias=False),
    Case("notebook-padding", (1, 1, 2, 2), (1, 1, 2, 2), (1, 1), (1, 1), {"padding": 1}, bias=False),
    Case("notebook-stride-2", (1, 1, 2, 2), (1, 1, 2, 2), (0, 0), (4, 4), {"stride": 2}, bias=False),
    Case("notebook-stride-3", (1, 1, 2, 2), (1, 1, 2, 2), (0, 0), (5, 5), {"stride": 3}, bias=False),
    Case("notebook-all-cropped", (1, 1, 2, 2), (1, 1, 2, 2), (2, 2), (1, 1), {"stride": 3, "padding": 2}),
    Case("notebook-4x4", (1, 1, 4, 4), (1, 1, 2, 2), (0, 0), (5, 5)),
    Case("notebook-stride-5", (1, 1, 8, 8), (1, 1, 3, 3), (1, 1), (36, 36), {"stride": 5, "padding": 1}),
    Case("notebook-stride-4", (1, 1, 4, 4), (1, 1, 3, 3), (0, 0), (16, 16), {"stride": 4, "output_padding": 1}),
    Case("notebook-same", (1, 1, 2, 2), (1, 1, 3, 3), (1, 1), (2, 2), {"padding": "same"}),
    # One idea each, on unequal axes.
    Case("channels", (2, 3, 4, 5), (3, 2, 3, 2), (0, 0), (6, 6)),
    Case("stride", (2, 3, 4, 5), (3, 2, 3, 4), (0, 0), (9, 16), {"stride": (2, 3)}),
    Case("stride-above-kernel", (1, 2, 3, 4), (2, 3, 2, 1), (0, 0), (12, 10), {"stride": (5, 3)}),
    Case("kernel-is-stride", (2, 3, 4, 3), (3, 4, 2, 3), (0, 0), (8, 9), {"stride": (2, 3)}),
    Case("dilation", (1, 3, 4, 5), (3, 2, 3, 2), (0, 0), (8, 8), {"dilation": (2, 3)}),
    Case(
        "stride-dilation",
        (1, 3, 4, 5),
        (3, 2, 3, 2),
        (1, 0),
        (11, 12),
        {"stride": 2, "dilation": (3, 3), "padding": (1, 0), "output_padding": (0, 0)},
    ),
    Case(
        "dilation-shares-factor",
        (1, 2, 3, 4),
        (2, 2, 3, 3),
        (0, 0),
        (17, 16),
        {"stride": (4, 2), "dilation": (4, 4), "padding": ((0, 0), (0, -1))},
    ),
    Case("pairs", (2, 2, 4, 5), (2, 3, 3, 4), (0, 2), (7, 9), {"stride": 2, "padding": ((0, 2), (2, 1))}),
    Case(
        "pairs-lo-above-hi", (1, 2, 4, 3), (2, 3, 5, 4), (4, 3), (7, 6), {"stride": (2, 3), "padding": ((4, 0), (3, 1))}
    ),
    Case(
        "pairs-negative",
        (1, 2, 3, 4),
        (2, 2, 2, 3),
        (-2, 1),
        (9, 10),
        {"stride": (2, 3), "padding": ((-2, -1), (1, 1))},
    ),
    Case(
        "crop-more-than-there-is",
        (1, 2, 3, 2),
        (2, 2, 2, 3),
        (9, -4),
        (2, 7),
        {"stride": (1, 2), "padding": ((9, -7), (-4, 2))},
    ),
    Case(
        "output-padding-shows-values",
        (1, 2, 4, 3),
        (2, 2, 3, 5),
        (1, 2),
        (8, 8),
        {"stride": (2, 3), "padding": (1, 2), "output_padding": (1, 1)},
    ),
    Case(
        "output-padding-below-dilation",
        (1, 2, 3, 4),
        (2, 2, 2, 2),
        (0, 0),
        (8, 9),
        {"dilation": (4, 3), "output_padding": (1, 2)},
    ),
    Case(
        "output-size",
        (1, 2, 4, 3),
        (2, 2, 3, 5),
        (1, 2),
        (8, 9),
        {"stride": (2, 3), "padding": (1, 2), "output_size": (8, 9)},
    ),
    Case(
        "output-size-beyond", (1, 2, 4, 3), (2, 2, 3, 5), (0, 0), (20, 13), {"stride": (2, 3), "output_size": (20, 13)}
    ),
    Case("same-odd-crop", (1, 2, 4, 3), (2, 2, 3, 4), (0, 0), (8, 9), {"stride": (2, 3), "padding": "same"}),
    Case("same-even-crop", (1, 2, 4, 3), (2, 2, 4, 5), (1, 1), (8, 9), {"stride": (2, 3), "padding": "same"}),
    Case(
        "same-stride-above-kernel", (1, 2, 4, 3), (2, 2, 1, 2), (0, 0), (12, 15), {"stride": (3, 5), "padding": "same"}
    ),
    Case(
        "same-output-size",
        (1, 2, 4, 3),
        (2, 2, 5, 4),
        (2, 1),
        (7, 7),
        {"stride": (2, 3), "padding": "same", "output_size": (7, 7)},
    ),
    Case(
        "crop-of-the-far-away",
        (1, 2, 3, 2),
        (2, 2, 2, 3),
        (2**40 - 1, 1),
        (4, 3),
        {"dilation": (2**40, 1), "padding": ((2**40 - 1, 0), (1, 0))},
    ),
    Case("valid", (1, 2, 5, 4), (2, 2, 2, 4), (0, 0), (15, 10), {"stride": (3, 2), "padding": "valid"}),
    Case("groups", (2, 6, 4, 3), (6, 2, 3, 2), (1, 0), (7, 6), {"groups": 3, "stride": 2, "padding": (1, 0)}),
    Case("depthwise", (1, 5, 4, 6), (5, 1, 4, 3), (1, 0), (8, 18), {"groups": 5, "stride": (2, 3), "padding": (1, 0)}),
    Case(
        "depthwise-multiplier",
        (2, 3, 4, 5),
        (3, 4, 2, 3),
        (0, 1),
        (8, 9),
        {"groups": 3, "stride": 2, "padding": (0, 1)},
    ),
    # Where a fast way begins or ends.
    Case(
        "stride-above-dilation",
        (1, 2, 3, 4),
        (2, 2, 3, 2),
        (1, 0),
        (12, 16),
        {"stride": (5, 4), "dilation": (2, 3), "padding": ((1, 2), (0, 0))},
    ),
    Case(
        "crop-of-whole-inputs",
        (1, 2, 5, 4),
        (2, 3, 2, 3),
        (5, 4),
        (3, 5),
        {"stride": (2, 3), "padding": ((5, 2), (4, 3))},
    ),
    Case(
        "append-a-stride",
        (1, 2, 3, 4),
        (2, 2, 2, 3),
        (0, 1),
        (8, 14),
        {"stride": (2, 3), "padding": ((0, -2), (1, -3))},
    ),
    Case(
        "kernel-is-stride-cropped",
        (1, 2, 3, 4),
        (2, 3, 2, 3),
        (1, 0),
        (4, 11),
        {"stride": (2, 3), "padding": ((1, 1), (0, 1))},
    ),
    Case(
        "kernel-is-stride-dilated",
        (1, 2, 3, 4),
        (2, 2, 2, 3),
        (0, 0),
        (6, 12),
        {"stride": (2, 3), "dilation": (2, 1), "padding": ((0, 1), (0, 0))},
    ),
    Case("long-stride", (2, 3, 4, 5), (3, 2, 2, 3), (0, 2), (7, 36), {"stride": (2, 9), "padding": ((0, 1), (2, 1))}),
    Case("one-tap", (1, 3, 3, 4), (3, 2, 1, 1), (0, 0), (5, 10), {"stride": (2, 3)}),
    Case("1d", (2, 3, 7), (3, 4, 5), (2,), (19,), {"stride": 3, "padding": 2, "output_padding": 0}, bias=True),
    Case("1d-long-kernel", (1, 2, 9), (2, 1, 64), (0,), (192,), {"stride": 16}),
    Case(
        "3d",
        (1, 2, 2, 3, 4),
        (2, 3, 3, 2, 1),
        (1, 0, 0),
        (3, 9, 4),
        {"stride": (2, 3, 1), "padding": ((1, 1), (0, -1), (0, 0))},
    ),
    Case(
        "3d-dilated",
        (1, 2, 2, 3, 2),
        (2, 2, 2, 2, 3),
        (0, 1, 0),
        (4, 6, 6),
        {"stride": (1, 2, 1), "dilation": (2, 3, 2), "padding": (0, 1, 0)},
    ),
    Case("4d", (1, 2, 2, 1, 3, 2), (2, 2, 1, 2, 2, 2), (0, 0, 0, 0), (3, 2, 4, 3), {"stride": (2, 1, 1, 1)}),
    # Sizes of zero.
    Case("no-batch", (0, 3, 4, 5), (3, 2, 3, 2), (0, 0), (9, 10), {"stride": 2}),
    Case("no-channels-in", (2, 0, 3, 2), (0, 2, 2, 3), (0, 0), (4, 4)),
    Case("no-channels-out", (2, 3, 3, 2), (3, 0, 2, 3), (0, 0), (4, 4)),
    Case("no-samples", (2, 3, 0, 2), (3, 2, 2, 3), (0, 0), (1, 4)),
    Case("no-samples-strided", (1, 2, 0, 3), (2, 2, 5, 2), (0, 0), (3, 6), {"stride": 2}),
    Case("no-samples-one-tap", (1, 2, 0, 3), (2, 2, 1, 2), (0, 0), (0, 6), {"stride": (3, 2)}),
    Case("no-output", (1, 3, 3, 2), (3, 2, 2, 3), (2, 0), (0, 4), {"padding": (2, 0)}),
    Case("same-of-nothing", (1, 2, 0, 3), (2, 2, 3, 2), (0, 0), (0, 6), {"stride": 2, "padding": "same"}),
    *map(_layer, LAYERS),
]
