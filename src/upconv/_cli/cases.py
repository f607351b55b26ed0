"""Random geometries, asymmetric on purpose: a swapped axis or side changes the values of nearly every one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from upconv._cli.arrays import Arrays
from upconv._cli.oracle import Reference, reference

__all__ = ["DTYPES", "Case", "operands", "random_case"]

# The dtypes of most calls come up more often.
DTYPES = ("float32", "float32", "float32", "float64", "float64", "float16", "bfloat16", "int32", "complex64")
# Size, kernel, stride and dilation by rank: JAX and Dask take their time over many taps and phases.
LARGEST = {1: (7, 5, 4, 4), 2: (5, 3, 3, 3), 3: (4, 2, 2, 3)}
Ints = tuple[int, ...]


class Case(NamedTuple):
    """One call: the dtype, the shapes, the seed of the values, and the arguments that are the geometry."""

    seed: int
    dtype: str
    x: Ints
    weight: Ints
    bias: Ints | None
    arguments: dict[str, Any]

    def operands(self, arrays: Arrays) -> list[Any]:
        """The arrays of the call."""
        return operands(arrays, self.dtype, self.x, self.weight, self.bias, self.seed)

    def reference(self, x: Any, weight: Any, bias: Any) -> Reference:
        """What they should give, channels first and with a batch axis."""
        arguments = {name: value for name, value in self.arguments.items() if name != "data_format"}
        return reference(self.channels_first(x), weight, bias, **arguments)

    def channels_first(self, array: Any) -> Any:
        """Bring ``x`` or the result into the layout of the reference."""
        batched = array if len(self.x) == len(self.weight) else array[None]
        return np.moveaxis(batched, -1, 1) if self.arguments["data_format"] == "channels_last" else batched

    def script(self, library: str, algorithm: str) -> str:
        """A program that makes this call."""
        shapes = f"{self.x}, {self.weight}, {self.bias}"
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return (
            "from upconv import conv_transpose\n"
            "from upconv._cli.cases import operands\n"
            "from upconv._cli.libraries import load\n\n"
            f"arrays = load({library!r})\n"
            "with arrays.settings():\n"
            f"    x, weight, bias = operands(arrays, {self.dtype!r}, {shapes}, seed={self.seed})\n"
            f"    print(arrays.finish(conv_transpose(x, weight, bias, {arguments}, algorithm={algorithm!r})))"
        )


def random_case(seed: int, dtypes: tuple[str, ...]) -> Case:
    """Draw a geometry from one to three axes; its output may be empty."""
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))

    def draw(low: int, high: int) -> Ints:
        return tuple(rng.integers(low, high + 1, rank).tolist())

    size, kernel, stride, dilation = (draw(1, largest) for largest in LARGEST[rank])
    fulls = [(i - 1) * s + d * (k - 1) + 1 for i, k, s, d in zip(size, kernel, stride, dilation, strict=True)]
    least = 0 if rng.integers(10) == 0 else 1  # a few outputs may be empty
    crops = zip(draw(-2, 3), draw(-2, 3), fulls, strict=True)
    padding = tuple((lo, min(hi, full - lo - least)) for lo, hi, full in crops)
    groups, ins, outs = [max(1, n) for n in rng.integers((-2, 1, 1), 4).tolist()]
    batch = [(), (1,), (2,), (3,)][rng.integers(4)]
    data_format = ("channels_first", "channels_last")[rng.integers(2)]
    image = (groups * ins, *size) if data_format == "channels_first" else (*size, groups * ins)
    return Case(
        seed=seed,
        dtype=str(rng.choice([dtype for dtype in DTYPES if dtype in dtypes])),
        x=(*batch, *image),
        weight=(groups * ins, outs, *kernel),
        bias=(groups * outs,) if rng.integers(2) else None,
        arguments={
            "stride": stride,
            "padding": padding,
            "groups": groups,
            "dilation": dilation,
            "data_format": data_format,
        },
    )


def operands(arrays: Arrays, dtype: str, x: Ints, weight: Ints, bias: Ints | None, seed: int) -> list[Any]:
    """Make ``x``, ``weight`` and ``bias`` of these shapes, or None."""
    rng = np.random.default_rng(seed)
    return [None if shape is None else arrays.make(_values(rng, dtype, shape), dtype) for shape in (x, weight, bias)]


def _values(rng: np.random.Generator, dtype: str, shape: Ints) -> Any:
    if dtype.startswith("int"):
        return rng.integers(-(2**20), 2**20, shape)  # products of two wrap around
    if dtype.startswith("complex"):
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return rng.standard_normal(shape)
