"""The table of what each library does otherwise than most. A new library is one class, and one line of `ARRAYS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module, util
from typing import Any

import numpy as np

from upconv._cli.arrays import Arrays

__all__ = [
    "ARRAYS",
    "Broken",
    "CuPy",
    "Dask",
    "Jax",
    "MXNet",
    "Missing",
    "NumPy",
    "Strict",
    "TensorFlow",
    "Torch",
    "load",
]


class Missing(Exception):  # noqa: N818  a library that is not there is no error
    """The library is not installed here."""


class Broken(Exception):  # noqa: N818  as above
    """The library is installed, but cannot be used: what it raises."""


class NumPy(Arrays):
    """NumPy has bfloat16 from the package ml_dtypes."""

    module = "numpy"

    def makes(self, dtype: str) -> bool:
        return dtype != "bfloat16" or util.find_spec("ml_dtypes") is not None

    def make(self, values: Any, dtype: str) -> Any:
        return np.asarray(values).astype(import_module("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype)


class Torch(Arrays):
    """PyTorch, on its default device."""

    module = "torch"

    def finish(self, y: Any) -> Any:
        if y.is_cuda:
            self.xp.cuda.synchronize()
        return y

    def to_numpy(self, y: Any) -> Any:
        return (y.float() if y.dtype == self.xp.bfloat16 else y).cpu().numpy()  # NumPy has no bfloat16

    def own(self, x: Any, weight: Any, stride: int, crop: int) -> Any:
        return self.xp.nn.functional.conv_transpose2d(x, weight, stride=stride, padding=crop, groups=x.shape[1])


class Jax(Arrays):
    """JAX, which has no float64 unless it is told to, and on a GPU multiplies float32 in fewer bits."""

    module = "jax"

    def make(self, values: Any, dtype: str) -> Any:
        # Rounded by NumPy: JAX would compile the rounding once for each shape.
        return self.xp.numpy.asarray(np.asarray(values).astype(self.xp.numpy.dtype(dtype)))

    def finish(self, y: Any) -> Any:
        return y.block_until_ready()

    @contextmanager
    def settings(self) -> Iterator[None]:
        with self._set("jax_enable_x64", True), self._set("jax_default_matmul_precision", "highest"):
            yield

    def once(self, call: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any] = self.xp.jit(call)
        return compiled

    def own(self, x: Any, weight: Any, stride: int, crop: int) -> Any:
        pad = weight.shape[-1] - 1 - crop
        channels = [
            self.xp.lax.conv_transpose(
                x[:, c : c + 1],
                weight[c : c + 1],
                (stride, stride),
                [(pad, pad)] * 2,
                dimension_numbers=("NCHW", "OIHW", "NCHW"),
                transpose_kernel=True,
            )
            for c in range(x.shape[1])  # it has no groups
        ]
        return self.xp.numpy.concatenate(channels, axis=1)

    @contextmanager
    def _set(self, name: str, value: Any) -> Iterator[None]:
        before = getattr(self.xp.config, name)
        self.xp.config.update(name, value)
        try:
            yield
        finally:
            self.xp.config.update(name, before)


class MXNet(Arrays):
    """MXNet through its NumPy interface, on its default context."""

    module = "mxnet.numpy"

    def make(self, values: Any, dtype: str) -> Any:
        return self.xp.array(np.asarray(values).astype(dtype), dtype=dtype)

    def finish(self, y: Any) -> Any:
        y.wait_to_read()
        return y

    def to_numpy(self, y: Any) -> Any:
        return y.asnumpy()

    def device(self, x: Any) -> str:
        return str(x.ctx)

    def own(self, x: Any, weight: Any, stride: int, crop: int) -> Any:
        channels, kernel = weight.shape[0], weight.shape[2:]
        words = {"stride": (stride,) * 2, "pad": (crop,) * 2, "num_filter": channels, "num_group": channels}
        return import_module("mxnet").npx.deconvolution(x, weight.copy(), kernel=kernel, **words)


class TensorFlow(Arrays):
    """TensorFlow, eagerly, on its default device."""

    module = "tensorflow"

    def make(self, values: Any, dtype: str) -> Any:
        return self.xp.cast(self.xp.constant(np.asarray(values)), dtype)

    def to_numpy(self, y: Any) -> Any:
        return (self.xp.cast(y, "float32") if y.dtype == "bfloat16" else y).numpy()

    def device(self, x: Any) -> str:
        return str(x.device).rpartition("device:")[2]  # "/job:localhost/replica:0/task:0/device:CPU:0"

    def own(self, x: Any, weight: Any, stride: int, crop: int) -> Any:
        tf = self.xp
        size = [(n - 1) * stride + k - 2 * crop for n, k in zip(x.shape[2:], weight.shape[2:], strict=True)]
        channels = [
            tf.nn.conv2d_transpose(
                tf.transpose(x[:, c : c + 1], (0, 2, 3, 1)),
                tf.transpose(weight[c : c + 1], (2, 3, 1, 0)),
                (x.shape[0], *size, 1),
                stride,
                [(0, 0), (crop, crop), (crop, crop), (0, 0)],
            )
            for c in range(x.shape[1])  # it has no groups
        ]
        return tf.transpose(tf.concat(channels, -1), (0, 3, 1, 2))


class CuPy(Arrays):
    """CuPy, on the current device; it has no op of its own to compare with."""

    module = "cupy"

    def __init__(self) -> None:
        super().__init__()
        self.xp.cuda.runtime.getDeviceCount()  # an error where there is no GPU, and not at the first array

    def make(self, values: Any, dtype: str) -> Any:
        return self.xp.asarray(
            np.asarray(values).astype(import_module("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype)
        )

    def finish(self, y: Any) -> Any:
        self.xp.cuda.get_current_stream().synchronize()
        return y

    def to_numpy(self, y: Any) -> Any:
        return y.get()


class Dask(Arrays):
    """Dask, in two chunks along the longest axis."""

    module = "dask.array"

    def make(self, values: Any, dtype: str) -> Any:
        chunks = list(values.shape)
        longest = int(np.argmax(chunks))
        chunks[longest] = -(-chunks[longest] // 2)
        return self.xp.from_array(np.asarray(values).astype(dtype), chunks=tuple(chunks))

    def finish(self, y: Any) -> Any:
        return y.compute()


class Strict(Arrays):
    """array-api-strict, whose devices are all on the CPU."""

    module = "array_api_strict"

    def device(self, x: Any) -> str:
        return "cpu"


ARRAYS = {
    "numpy": NumPy,
    "torch": Torch,
    "jax": Jax,
    "tensorflow": TensorFlow,
    "mxnet": MXNet,
    "cupy": CuPy,
    "dask": Dask,
    "strict": Strict,
}


def load(library: str) -> Arrays:
    """Import a library, or raise `Missing`, or `Broken` with the reason."""
    kind = ARRAYS[library]
    if util.find_spec(kind.module.partition(".")[0]) is None:
        raise Missing(library)
    try:
        return kind()
    except Exception as error:  # a broken installation raises whatever it likes
        raise Broken(f"{library}: installed, but cannot be used: {type(error).__name__}: {error}") from error
