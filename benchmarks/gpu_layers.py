"""The layers that are measured, what they cost at least, and their arrays."""

from upconv._bench import layers
from upconv._bench.layers import Layer

__all__ = ["floors", "load", "shrunk"]


def load():
    """All layers, and each of a smaller batch with 16 images too: one image may end before its launch is paid."""
    found = []
    for layer in layers.load():
        found.append(layer)
        if layer.x[0] < 16:
            found.append(layer._replace(name=f"{layer.name}-n16", x=(16, *layer.x[1:])))
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
