"""upconv on NumPy arrays, and the limit of arithmetic: a bare `numpy.matmul` of the layer's operations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np

import upconv
from upconv._bench.limits import COPIED
from upconv._bench.task import Call, Task

__all__ = ["Copy", "Matmul", "UpconvNumPy"]


class UpconvNumPy:
    """The public calls."""

    def __init__(self, threads: int) -> None:
        pass  # the environment has told NumPy's BLAS

    def versions(self) -> dict[str, str]:
        numba = metadata.version("numba") if find_spec("numba") else "none"
        return {"upconv": upconv.__version__, "numpy": np.__version__, "numba": numba}

    def prepare(self, task: Task) -> Call:
        x, weight, cotangent = task.values()
        words = task.words
        weight = upconv.prepare(weight) if task.prepared else weight
        if task.verb == "forward":
            return lambda: upconv.conv_transpose(x, weight, **words)
        del words["output_padding"]
        if task.verb == "dx":
            return lambda: upconv.conv(cotangent, weight, **words)
        kernel = task.layer.weight[2:]
        return lambda: upconv.conv_weight(x, cotangent, kernel, **words)

    def to_numpy(self, result: Any) -> Any:
        return result if result.dtype.kind == "f" else result.astype(np.float32)  # ml_dtypes' are no kind of NumPy's


class Matmul(UpconvNumPy):
    """As many multiplications and additions, in one product that writes where it wrote before."""

    def prepare(self, task: Task) -> Call:
        layer, dtype = task.layer, "float64" if task.dtype == "float64" else "float32"
        g = layer.groups
        inner, columns, taps = layer.x[1] // g, layer.x[0] * prod(layer.x[2:]), prod(layer.weight[1:])
        m, k, n = {
            "forward": (taps, inner, columns),
            "dx": (inner, taps, columns),
            "dweight": (inner, columns, taps),
        }[task.verb]
        rng = np.random.default_rng(7)
        a, b = rng.random((g, m, k), "float32").astype(dtype), rng.random((g, k, n), "float32").astype(dtype)
        if g == 1:
            a, b = a[0], b[0]
        out = a @ b
        return lambda: np.matmul(a, b, out=out)


class Copy(UpconvNumPy):
    """Copying an array beyond every cache, in as many threads; of no task in particular."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def prepare(self, task: Task) -> Call:
        source, target = np.ones((2, self.threads, COPIED // 8 // self.threads))
        pool = ThreadPoolExecutor(self.threads)
        return lambda: list(pool.map(np.copyto, target, source))  # copyto lets the other threads run

    def to_numpy(self, result: Any) -> Any:
        return np.zeros(0)
