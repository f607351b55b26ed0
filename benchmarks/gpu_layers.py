"""The layers that are measured, what they cost at least, and their arrays."""

import json
from math import prod
from pathlib import Path
from typing import NamedTuple

__all__ = ["Layer", "floors", "load", "shrunk"]

LAYERS = Path(__file__).parents[1] / "tests" / "layers.json"  # the one copy, which the tests read too
ITEMSIZE = {"float32": 4, "float16": 2, "bfloat16": 2}


class Layer(NamedTuple):
    """One transposed convolution in PyTorch's words."""

    name: str
    x: tuple[int, ...]
    weight: tuple[int, ...]
    arguments: dict

    @property
    def rank(self):
        return len(self.x) - 2

    @property
    def groups(self):
        return self.arguments["groups"]

    @property
    def out(self):
        words = (self.arguments[name] for name in ("stride", "padding", "output_padding", "dilation"))
        each = [(word,) * self.rank if isinstance(word, int) else word for word in words]
        sizes = zip(self.x[2:], self.weight[2:], *each, strict=True)
        return tuple((i - 1) * s - 2 * p + d * (k - 1) + op + 1 for i, k, s, p, op, d in sizes)

    @property
    def y(self):
        return (self.x[0], self.weight[1] * self.groups, *self.out)

    @property
    def operations(self):
        """Additions and multiplications before anything is cropped."""
        return 2 * prod(self.x) * self.weight[1] * prod(self.weight[2:])

    def bytes(self, dtype):
        """Of reading x and weight once, and writing y once."""
        return ITEMSIZE[dtype] * (prod(self.x) + prod(self.weight) + prod(self.y))


def load():
    """All layers, and each of a smaller batch with 16 images too: one image may end before its launch is paid."""
    found = []
    for entry in json.loads(LAYERS.read_text()):
        words = {name: entry[name] for name in ("stride", "padding", "output_padding", "groups", "dilation")}
        words = {name: tuple(word) if isinstance(word, list) else word for name, word in words.items()}
        found.append(Layer(entry["name"], tuple(entry["x"]), tuple(entry["weight"]), words))
        if entry["x"][0] < 16:
            found.append(found[-1]._replace(name=f"{entry['name']}-n16", x=(16, *entry["x"][1:])))
    return found


def shrunk(layer):
    """The layer with its geometry whole, and few channels, samples and images: for a machine without a GPU."""
    groups = min(layer.groups, 3)
    ins = groups * min(4, layer.x[1] // layer.groups)
    outs = min(4, layer.weight[1])
    size = tuple(min(n, 4) for n in layer.x[2:])
    kernel = tuple(min(k, 16) for k in layer.weight[2:])
    arguments = layer.arguments | {"groups": groups}
    if kernel != layer.weight[2:]:
        arguments |= {"stride": 4}
    return Layer(layer.name, (1, ins, *size), (ins, outs, *kernel), arguments)


def floors(layer, dtype, copy_bytes_per_s, operations_per_s):
    """Seconds below which no kernel can be: for its bytes at the copy's speed, for its sums at a matrix product's."""
    return {
        "memory": layer.bytes(dtype) / copy_bytes_per_s,
        "arithmetic": layer.operations / operations_per_s,
    }
