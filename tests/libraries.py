"""Variants: the ways in which one library's arrays come, by memory, device and chunks. None is a key of dispatch."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Variant:
    library: str
    name: str
    make: Callable  # a NumPy array to an array of the library
    back: Callable = np.asarray
    device: Any = None  # where the result must lie, if not on the default device
    where: Callable = lambda y: getattr(y, "device", None)  # where an array lies
    call: Callable = lambda function, *arrays: function(*arrays)

    def __str__(self):
        return self.name


def start(library):
    """Set a library up for its tests, before anything imports it."""
    # A second device, so that a test can use one that is not the default; eight to shard on.
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8 " + os.environ.get("XLA_FLAGS", "")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors alone: TensorFlow reports its start on stderr
    if library == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_numpy_dtype_promotion", "strict")
        jax.config.update("jax_numpy_rank_promotion", "raise")
    if library == "cupy":
        from cuda_on_cpu import standin

        if not standin.has_device():
            standin.install()
    if library == "tensorflow":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def variants(library):
    """All variants of a library; imports it."""
    return MAKERS[library]()


def _numpy():
    def readonly(a):
        a = a.copy()
        a.flags.writeable = False
        return a

    def backwards(a):
        return a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim]

    def big_endian(a):
        return a.astype(a.dtype.newbyteorder(">"))

    makers = {"plain": np.array, "fortran": np.asfortranarray}
    makers |= {"readonly": readonly, "backwards": backwards, "big-endian": big_endian}
    return [Variant("numpy", f"numpy:{name}", make) for name, make in makers.items()]


def _torch():
    import torch

    def plain(a):
        if a.dtype.name == "bfloat16":
            return torch.from_numpy(a.astype("float32")).to(torch.bfloat16)
        return torch.from_numpy(np.array(a))

    def channels_last(a):
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        return plain(a).contiguous(memory_format=formats.get(a.ndim, torch.contiguous_format))

    def strided(a):
        return plain(np.repeat(a, 2, axis=-1))[..., ::2]

    def back(y):
        y = y.detach()
        return y.float().numpy() if y.dtype == torch.bfloat16 else y.numpy()

    makers = {"plain": plain, "channels_last": channels_last, "strided": strided}
    return [Variant("torch", f"torch:{name}", make, back) for name, make in makers.items()]


def _jax():
    import jax

    second = jax.devices()[1]  # conftest.py asks XLA for eight
    return [
        Variant("jax", "jax:jit", jax.numpy.asarray, call=lambda function, *arrays: jax.jit(function)(*arrays)),
        Variant("jax", "jax:second-device", lambda a: jax.device_put(a, second), device=second),
    ]


def _tensorflow():
    import tensorflow as tf

    def variable(a):
        return tf.Variable(a)

    def second_device(a):
        with tf.device("CPU:1"):  # conftest.py makes two
            return tf.constant(a)

    def function(function, *arrays):
        return tf.function(function)(*arrays)

    def back(y):
        return y.numpy()

    return [
        Variant("tensorflow", "tensorflow:eager", tf.constant, back),
        Variant("tensorflow", "tensorflow:function", tf.constant, back, call=function),
        Variant("tensorflow", "tensorflow:variable", variable, back),
        Variant("tensorflow", "tensorflow:second-device", second_device, back, second_device(0).device),
    ]


def _mxnet():
    import mxnet as mx

    def plain(a):
        return mx.np.array(a, dtype=a.dtype)

    def view(a):  # in memory of a larger array: MXNet packs every other slice
        return plain(np.concatenate([a, a]))[len(a) :]

    def second(a):
        return mx.np.array(a, dtype=a.dtype, ctx=mx.cpu(1))

    rest = {"back": lambda y: y.asnumpy(), "where": lambda y: y.ctx}
    return [
        Variant("mxnet", "mxnet:plain", plain, **rest),
        Variant("mxnet", "mxnet:view", view, **rest),
        Variant("mxnet", "mxnet:second-device", second, device=mx.cpu(1), **rest),
    ]


def _cupy():
    import cupy

    def back(y):
        return y.get()

    def channels_last(a):
        last = np.ascontiguousarray(np.moveaxis(a, 1, -1)) if a.ndim > 1 else a
        return (
            cupy.asarray(last).transpose(0, last.ndim - 1, *range(1, last.ndim - 1)) if a.ndim > 1 else cupy.asarray(a)
        )

    def backwards(a):
        return cupy.asarray(np.repeat(a, 2, axis=-1)[..., ::-2].copy())[..., ::-1]

    def second_device(a):
        with cupy.cuda.Device(1):
            return cupy.asarray(a)

    makers = {"plain": cupy.asarray, "channels_last": channels_last, "backwards": backwards}
    found = [Variant("cupy", f"cupy:{name}", make, back) for name, make in makers.items()]
    if cupy.cuda.runtime.getDeviceCount() > 1:
        found.append(Variant("cupy", "cupy:second-device", second_device, back, device=cupy.cuda.Device(1)))
    return found


def _dask():
    import dask.array as da

    return [
        Variant("dask", "dask:one-chunk", da.from_array),
        Variant("dask", "dask:chunks", lambda a: da.from_array(a, chunks=tuple(max(1, n // 2) for n in a.shape))),
    ]


def _strict():
    import array_api_strict as xp

    flags = xp._flags
    newest = max(version for version in flags.supported_versions if version != flags.draft_version)
    xp.set_array_api_strict_flags(
        api_version=newest, boolean_indexing=False, data_dependent_shapes=False, enabled_extensions=()
    )
    second = xp.Device("device1")

    def back(y):
        return np.asarray(xp.asarray(y, device=xp.Device("CPU_DEVICE"))._array)

    return [
        Variant("strict", "strict:plain", xp.asarray, back),
        Variant("strict", "strict:device1", lambda a: xp.asarray(a, device=second), back, device=second),
    ]


MAKERS = {
    "numpy": _numpy,
    "torch": _torch,
    "jax": _jax,
    "tensorflow": _tensorflow,
    "mxnet": _mxnet,
    "cupy": _cupy,
    "dask": _dask,
    "strict": _strict,
}
