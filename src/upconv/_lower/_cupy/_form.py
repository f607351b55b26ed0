"""What can be compiled: the kernel's names of the dtypes, its tiles, and a form, one call's way through it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

__all__ = [
    "DEPTH",
    "DTYPES",
    "NARROW",
    "SUMS",
    "THREADS",
    "TILES",
    "Form",
    "Spec",
    "Tile",
    "spec",
    "threads",
    "word_bytes",
]

DEPTH = 8  # rows of one stage, as in the kernel
THREADS = {"direct": 128, "pack": 256, "combine": 256}  # as in the kernel

DTYPES = {
    "float32": "F32",
    "float64": "F64",
    "float16": "F16",
    "bfloat16": "BF16",
    "complex64": "C64",
    "complex128": "C128",
}
SUMS = {
    "F32": "float32",
    "TF32": "float32",
    "F16": "float32",
    "BF16": "float32",
    "F64": "float64",
    "C64": "complex64",
    "C128": "complex128",
}


class Tile(NamedTuple):
    """A block's columns of the weight and positions of ``x``, those of one thread (or warp of tensor cores), stages."""

    BM: int
    BN: int
    TM: int
    TN: int
    STAGES: int


# Largest first. Static shared memory ends at 48 KiB: that sets the stages.
NARROW = (Tile(128, 128, 8, 8, 4), Tile(64, 128, 8, 8, 4), Tile(16, 128, 4, 4, 4), Tile(4, 256, 4, 2, 4))
WIDE = (Tile(64, 64, 4, 4, 4), Tile(4, 128, 4, 1, 4))
TENSOR = (Tile(128, 128, 64, 32, 4), Tile(64, 128, 32, 32, 4), Tile(16, 128, 16, 32, 4))
TILES = {
    "F32": NARROW,
    "TF32": TENSOR,
    "F16": TENSOR,
    "BF16": TENSOR,
    "F64": WIDE,
    "C64": WIDE,
    "C128": (Tile(32, 64, 4, 2, 3), Tile(4, 128, 4, 1, 2)),
}


class Form(NamedTuple):
    """One call's way through the kernel."""

    dtype: str
    kernel: str  # tile, or direct for few channels
    tensor: bool = False  # on tensor cores
    tile: Tile = NARROW[0]
    merged: bool = False  # all output phases as columns of one product
    by_channel: bool = False  # neighbouring threads load neighbouring channels: halves by aligned pairs
    splits: int = 1  # parts into which the sum is divided, for want of blocks
    outs: int = 1  # direct: output channels of a group that one thread sums
    chunk: int = 1  # direct: groups that one thread takes, one after the other


class Spec(NamedTuple):
    """One compiled module: its kernel, and the macros that specialise it."""

    kernel: str
    macros: tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def spec(form: Form, kernel: str) -> Spec:
    """Name the module in which a form finds one of its kernels; forms share those that they agree about."""
    dtype = "F32" if form.dtype == "TF32" and kernel != "tile" else form.dtype
    mma = form.tensor and (kernel == "tile" or (kernel == "pack" and dtype != "F32"))  # tf32 is packed as float32 is
    macros = {"KERNEL": kernel.upper(), "DTYPE": dtype, "MMA": str(int(mma))}
    if kernel == "tile":
        macros |= {name: str(value) for name, value in form.tile._asdict().items()}
        macros["BY_CHANNEL"] = str(int(form.by_channel))
    if kernel == "direct":
        macros["OUTS"] = str(form.outs)
    return Spec(kernel, tuple(macros.items()))


def threads(form: Form) -> int:
    """Threads of a block of the form's own kernel."""
    if form.kernel == "direct":
        return THREADS["direct"]
    tile = form.tile
    return tile.BM // tile.TM * (tile.BN // tile.TN) * (32 if form.tensor else 1)


def word_bytes(form: Form) -> int:
    """Bytes of what one row of a tile holds for one column: a pair of halves, or a number as it is summed."""
    return {"float32": 4, "float64": 8, "complex64": 8, "complex128": 16}[SUMS[form.dtype]]
