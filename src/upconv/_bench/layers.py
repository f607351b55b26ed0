"""The layers that are measured: their shapes, what they cost at least, and their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["DTYPES", "VERBS", "Layer", "load", "read", "values"]

VERBS = ("forward", "dx", "dweight")
DTYPES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}  # bytes of each


class Layer(NamedTuple):
    """One transposed convolution in PyTorch's words."""

    name: str
    x: tuple[int, ...]
    weight: tuple[int, ...]
    arguments: Mapping[str, Any]

    @property
    def rank(self) -> int:
        """How many spatial axes."""
        return len(self.x) - 2

    @property
    def groups(self) -> int:
        """How many groups of channels."""
        return int(self.arguments["groups"])

    def each(self, word: str) -> tuple[int, ...]:
        """One of the arguments, for each spatial axis."""
        value = self.arguments[word]
        return (value,) * self.rank if isinstance(value, int) else tuple(value)

    @property
    def out(self) -> tuple[int, ...]:
        """Spatial shape of the result."""
        words = (self.each(name) for name in ("stride", "padding", "output_padding", "dilation"))
        sizes = zip(self.x[2:], self.weight[2:], *words, strict=True)
        return tuple((i - 1) * s - 2 * p + d * (k - 1) + op + 1 for i, k, s, p, op, d in sizes)

    @property
    def y(self) -> tuple[int, ...]:
        """Shape of the result."""
        return (self.x[0], self.weight[1] * self.groups, *self.out)

    def result(self, verb: str) -> tuple[int, ...]:
        """Shape of what a verb gives."""
        return {"forward": self.y, "dx": self.x, "dweight": self.weight}[verb]

    @property
    def operations(self) -> int:
        """Additions and multiplications before anything is cropped: as many for each verb."""
        return 2 * prod(self.x) * self.weight[1] * prod(self.weight[2:])

    def bytes(self, dtype: str) -> int:
        """Of input, weight and result, each once: as many for each verb."""
        return DTYPES[dtype] * (prod(self.x) + prod(self.weight) + prod(self.y))


def read(entry: Mapping[str, Any]) -> Layer:
    """Make a layer of a line of the file."""
    names = ("stride", "padding", "output_padding", "groups", "dilation")
    words = {name: tuple(entry[name]) if isinstance(entry[name], list) else entry[name] for name in names}
    return Layer(entry["name"], tuple(entry["x"]), tuple(entry["weight"]), words)


def load() -> tuple[Layer, ...]:
    """All layers, in the order of the file."""
    return tuple(map(read, json.loads(Path(__file__).with_name("layers.json").read_text())))


def values(layer: Layer, dtype: str) -> tuple[Any, Any, Any]:
    """Input, weight and cotangent as NumPy arrays, the same in every process."""
    import numpy as np

    rng = np.random.default_rng(7)
    arrays = [rng.standard_normal(shape, dtype="float32") for shape in (layer.x, layer.weight, layer.y)]
    if dtype == "bfloat16":
        from ml_dtypes import bfloat16

        return tuple(a.astype(bfloat16) for a in arrays)
    return tuple(a.astype(dtype, copy=False) for a in arrays)
