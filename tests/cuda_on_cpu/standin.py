"""A stand-in for CuPy on a machine without a GPU: NumPy's arrays, and kernels that run on the CPU.

It has what the package asks of CuPy and no more. Arrays know a device; one that is used on another device than the
current one is an error, as a kernel launched there would be. Fresh memory is poisoned.
"""

import sys
import types
import weakref
from contextlib import suppress

import numpy as np

from cuda_on_cpu import cpu
from upconv import _libraries

__all__ = ["LAUNCHES", "has_device", "install", "ndarray"]

LAUNCHES = []  # (device, options, kernel, blocks, threads, argument) of every launch, the newest last
_ALIVE = weakref.WeakValueDictionary()
_CURRENT = [0]


class Device:
    compute_capability = "90"
    attributes = {"MultiProcessorCount": 132}  # noqa: RUF012

    def __init__(self, number=0):
        self.id = int(number)

    def __enter__(self):
        _CURRENT.append(self.id)
        return self

    def __exit__(self, *error):
        _CURRENT.pop()

    def __eq__(self, other):
        return self.id == other.id

    def __hash__(self):
        return self.id

    def __repr__(self):
        return f"<CUDA Device {self.id}>"


class ndarray(np.ndarray):  # noqa: N801
    def __array_finalize__(self, parent):
        self._device = getattr(parent, "_device", _CURRENT[-1])
        _ALIVE[id(self)] = self

    @property
    def device(self):
        return Device(self._device)

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)

    def get(self):
        return np.array(self)


def asarray(a, dtype=None):
    made = np.array(a, dtype=dtype, copy=True, order="K").view(ndarray)
    made._device = _CURRENT[-1]
    return made


def empty(shape, dtype=float):
    made = np.empty(shape, dtype).view(ndarray)
    made.view(np.ndarray).reshape(-1).view(np.uint8)[:] = 0xFF  # NaN in every floating dtype
    return made


class RawModule:
    def __init__(self, *, code, options):
        self.code, self.options = code.partition("// Transposed convolution as")[2], options

    def get_function(self, name):
        def function(grid, block, arguments):
            (argument,) = arguments
            LAUNCHES.append((_CURRENT[-1], self.options, name, grid[0], block[0], argument))
            macros = tuple(option for option in self.options if option.startswith("-D"))
            seed = len(LAUNCHES)
            cpu.launch("//" + self.code, macros, name, grid[0], block[0], argument, _regions(), seed)

        return function


def _regions():
    found = {np.lib.array_utils.byte_bounds(a) for a in list(_ALIVE.values()) if a.size and a._device == _CURRENT[-1]}
    return sorted(found)


class _Namespace(types.ModuleType):
    """`array_api_compat.numpy`, whose results are the stand-in's arrays."""

    def __getattr__(self, name):
        from array_api_compat import numpy as xp

        found = getattr(xp, name)
        if isinstance(found, type) or not callable(found):
            return found

        def function(*args, device=None, **words):
            result = found(*args, **words)
            return result.view(ndarray) if isinstance(result, np.ndarray) else result

        return function


def has_device():
    """Whether CuPy and a GPU are here, so that nothing need stand in."""
    if getattr(sys.modules.get("cupy"), "RawModule", None) is RawModule:
        return False
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:  # noqa: BLE001  whatever is missing: the library, the driver, the device
        return False


def install():
    """Put the stand-in where the package looks for CuPy."""
    import array_api_compat

    with suppress(ImportError):  # CuPy's binding of the compiler looks for CuPy when it is first used
        from cupy_backends.cuda.libs import nvrtc

        nvrtc.getVersion()
    cupy = types.ModuleType("cupy")
    cupy.__version__ = "0, a stand-in"
    cupy.ndarray, cupy.RawModule, cupy.empty, cupy.asarray = ndarray, RawModule, empty, asarray
    runtime = types.SimpleNamespace(getDeviceCount=lambda: 2)
    stream = types.SimpleNamespace(synchronize=lambda: None)
    cupy.cuda = types.SimpleNamespace(Device=Device, runtime=runtime, get_current_stream=lambda: stream)
    sys.modules["cupy"] = cupy
    sys.modules["cupyx"] = None  # CuPy's sparse matrices do not stand here
    # The stand-in's arrays are NumPy's too: say whose they are meant to be.
    _libraries._OWNERS[ndarray] = next(row for row in _libraries.LIBRARIES if row.name == "cupy")
    sys.modules["array_api_compat.cupy"] = array_api_compat.cupy = _Namespace("array_api_compat.cupy")
    return cupy
