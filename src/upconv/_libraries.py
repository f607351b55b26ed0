"""The table of libraries: whose array is it, and which lowerings does that library have, best first.

Everything that says what is supported reads this table: dispatch, `explain`, `check`, the README, the tests' skips.
Asking who owns an array looks among the modules that are loaded already, where its library must be. Nothing is
imported until a call needs a lowering.
"""

from __future__ import annotations

import sys
from collections import namedtuple

from upconv._classes import is_masked, means_more

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from upconv._lower._contract import Lowering

__all__ = ["LIBRARIES", "Library", "dtype_name", "itemsize", "lowerings", "owner", "remember", "remembers"]

FLOATS = ("float32", "float64", "float16")
COMPLEX = ("complex64", "complex128")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")


class Library(namedtuple("Library", "name module array algorithms dtypes tested")):
    """One row of the table.

    Attributes
    ----------
    name : str
        What errors, `explain` and the folder of its lowerings, ``_lower/_<name>``, call it.
    module, array : str
        Where users find the array class, and its name; several names with spaces between them.
    algorithms : tuple of str
        The lowerings in its folder, in order of preference; the last takes every call that the library can.
    dtypes : tuple of str
        What it can multiply, by the names of the array API.
    tested : str
        "CI", "GPU, <date>" or "untested".
    """

    __slots__ = ()


LIBRARIES = (
    Library(
        "numpy",
        module="numpy",
        array="ndarray",
        algorithms=("loops", "direct", "sub_pixel", "overlap_add", "fft", "generic"),
        dtypes=(*FLOATS, "bfloat16", "longdouble", "clongdouble", *COMPLEX, *SIGNED, *UNSIGNED),
        tested="CI",
    ),
    Library(
        "torch",
        module="torch",
        array="Tensor",
        algorithms=("direct", "overlap_add", "native", "generic"),
        # PyTorch has no matmul for uint16 to uint64.
        dtypes=(*FLOATS, "bfloat16", *COMPLEX, *SIGNED, "uint8"),
        tested="CI",
    ),
    Library(
        "jax",
        module="jax",
        array="Array",
        algorithms=("overlap_add", "sub_pixel", "native", "lhs_dilation", "generic"),
        dtypes=(*FLOATS, "bfloat16", *COMPLEX, *SIGNED, *UNSIGNED),
        tested="CI",
    ),
    Library(
        "tensorflow",
        module="tensorflow",
        array="Tensor Variable",
        algorithms=("native", "generic"),
        dtypes=(*FLOATS, "bfloat16", *COMPLEX, *SIGNED, *UNSIGNED),
        tested="CI",
    ),
    Library(
        "mxnet",
        module="mxnet.numpy",
        array="ndarray",
        algorithms=("native", "generic"),
        # All that an MXNet array can hold, but for bool.
        dtypes=(*FLOATS, "int8", "int32", "int64", "uint8"),
        tested="CI",
    ),
    Library(
        "cupy",
        module="cupy",
        array="ndarray",
        algorithms=("raw", "generic"),
        dtypes=(*FLOATS, "bfloat16", *COMPLEX, *SIGNED, *UNSIGNED),
        tested="untested",
    ),
    Library(
        "dask",
        module="dask.array",
        array="Array",
        algorithms=("generic",),
        dtypes=(*FLOATS, *COMPLEX, *SIGNED, *UNSIGNED),
        tested="CI",
    ),
    Library(
        "strict",
        module="array_api_strict._array_object",
        array="Array",
        algorithms=("generic",),
        dtypes=("float32", "float64", *COMPLEX, *SIGNED, *UNSIGNED),
        tested="CI",
    ),
)

# NumPy names long doubles after their size on the platform.
LONG_NAMES = {
    "float96": "longdouble",
    "float128": "longdouble",
    "complex192": "clongdouble",
    "complex256": "clongdouble",
}

_OWNERS: dict[type, Library] = {}
_LOWERINGS: dict[str, Mapping[str, Lowering]] = {}
_DTYPE_NAMES: dict[tuple[str, Any], str] = {}
# Entries of each memory of this package: a program may make classes, dtypes and geometries without end.
KEPT = 4096


def remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep what was found, in a memory that is emptied when it is full.

    Two threads may both find it: what they find is equal, and the later one stays. A plain dictionary, because
    `torch.compile` warns at functools.lru_cache.
    """
    if len(memory) >= KEPT:
        memory.clear()
    memory[key] = value


def remembers() -> bool:
    """Whether to look up what was found before: not for `torch.compile`, which compiles anew when that has changed."""
    torch = sys.modules.get("torch")
    return torch is None or not torch.compiler.is_compiling()


def owner(array: Any) -> Library | None:
    """Return the library of an array, or None. The class decides, so traced, meta and wrapped arrays are found too."""
    if not remembers():
        return _owner(array)
    found = _OWNERS.get(type(array))
    if found is None:
        found = _owner(array)
        if found is not None:
            remember(_OWNERS, type(array), found)
    return found


def _owner(array: Any) -> Library | None:
    if is_masked(array) or means_more(array):
        return None  # no lowering would see the mask, or the unit
    if remembers() and array.__class__ is not type(array):
        return None  # a proxy or a mock: isinstance believes it, and the library's own C code crashes
    for library in LIBRARIES:
        module = sys.modules.get(library.module)
        # A module of that name may be half imported, or a folder of the user's.
        kinds = [getattr(module, name, None) for name in library.array.split()]
        if any(kind is not None and isinstance(array, kind) for kind in kinds):
            return library
    return None


def dtype_name(library: Library, dtype: Any) -> str:
    """Spell a dtype as the standard does: ``float32`` for ``torch.float32`` and for a big-endian NumPy dtype alike."""
    if not remembers():
        return _dtype_name(dtype)
    key = (library.name, dtype)  # the name first, so that dtypes of two libraries are never compared
    found = _DTYPE_NAMES.get(key)
    if found is None:
        found = _dtype_name(dtype)
        remember(_DTYPE_NAMES, key, found)
    return found


def _dtype_name(dtype: Any) -> str:
    spelled = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
    return LONG_NAMES.get(spelled, spelled)


def itemsize(name: str) -> int:
    """Bytes of one element of a dtype; long doubles by their largest size."""
    return {"longdouble": 16, "clongdouble": 32}.get(name) or int(name.lstrip("abcdefghijklmnopqrstuvwxyz")) // 8


def lowerings(name: str) -> Mapping[str, Lowering]:
    """Return a library's algorithms by name."""
    if not remembers():
        return _lowerings(name)
    found = _LOWERINGS.get(name)
    if found is None:
        found = _LOWERINGS[name] = _lowerings(name)
    return found


def _lowerings(name: str) -> Mapping[str, Lowering]:
    """Import a library's folder of lowerings. A statement for each, because `torch.compile` traces no other import."""
    if name == "numpy":
        from upconv._lower import _numpy

        return _numpy.LOWERINGS
    if name == "torch":
        from upconv._lower import _torch

        return _torch.LOWERINGS
    if name == "jax":
        from upconv._lower import _jax

        return _jax.LOWERINGS
    if name == "tensorflow":
        from upconv._lower import _tensorflow

        return _tensorflow.LOWERINGS
    if name == "mxnet":
        from upconv._lower import _mxnet

        return _mxnet.LOWERINGS
    if name == "cupy":
        from upconv._lower import _cupy

        return _cupy.LOWERINGS
    if name == "dask":
        from upconv._lower import _dask

        return _dask.LOWERINGS
    from upconv._lower import _strict

    return _strict.LOWERINGS
