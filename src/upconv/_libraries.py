"""The table of libraries: whose array is it, and which lowerings does that library have, best first.

Everything that says what is supported reads this table: dispatch, `explain`, `check`, the README, the tests' skips.
Asking who owns an array looks among the modules that are loaded already, where its library must be. Nothing is
imported until a call needs a lowering.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, cast

from upconv._lower import Lowering
from upconv._plan import Plan

__all__ = ["LIBRARIES", "Library", "Route", "dtype_name", "itemsize", "lowering", "owner", "route"]

FLOATS = ("float32", "float64", "float16")
COMPLEX = ("complex64", "complex128")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Library:
    """One row. ``algorithms`` are in order of preference, each a module below ``_lower``; the last takes everything."""

    name: str
    module: str  # where users find the array class; its first part is the distribution that `check` names
    array: str
    algorithms: tuple[str, ...]
    dtypes: tuple[str, ...]
    tested: str  # "CI", "GPU, <date>" or "untested"


LIBRARIES = (
    Library(
        "numpy",
        module="numpy",
        array="ndarray",
        algorithms=("overlap_add", "generic"),
        dtypes=(*FLOATS, "bfloat16", "longdouble", "clongdouble", *COMPLEX, *SIGNED, *UNSIGNED),
        tested="CI",
    ),
    Library(
        "torch",
        module="torch",
        array="Tensor",
        algorithms=("native", "generic"),
        # PyTorch has no matmul for uint16 to uint64.
        dtypes=(*FLOATS, "bfloat16", *COMPLEX, *SIGNED, "uint8"),
        tested="CI",
    ),
    Library(
        "jax",
        module="jax",
        array="Array",
        algorithms=("native", "lhs_dilation", "generic"),
        dtypes=(*FLOATS, "bfloat16", *COMPLEX, *SIGNED, *UNSIGNED),
        tested="CI",
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
_LOWERINGS: dict[tuple[str, str], Lowering] = {}
_DTYPE_NAMES: dict[tuple[str, Any], str] = {}


def owner(array: Any) -> Library | None:
    """Return the library of an array, or None. The class decides, so traced, meta and wrapped arrays are found too."""
    found = _OWNERS.get(type(array))
    if found is not None:
        return found
    for library in LIBRARIES:
        module = sys.modules.get(library.module)
        if module is not None and isinstance(array, getattr(module, library.array)):
            _OWNERS[type(array)] = library
            return library
    return None


def dtype_name(library: Library, dtype: Any) -> str:
    """Spell a dtype as the standard does: ``float32`` for ``torch.float32`` and for a big-endian NumPy dtype alike."""
    key = (library.name, dtype)  # the name first, so that dtypes of two libraries are never compared
    found = _DTYPE_NAMES.get(key)
    if found is None:
        spelled = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
        found = _DTYPE_NAMES[key] = LONG_NAMES.get(spelled, spelled)
    return found


def itemsize(name: str) -> int:
    """Bytes of one element of a dtype; long doubles by their largest size."""
    return {"longdouble": 16, "clongdouble": 32}.get(name) or int(name.lstrip("abcdefghijklmnopqrstuvwxyz")) // 8


class Route(NamedTuple):
    """The lowering that takes a call, and what those before it in the table said against it."""

    algorithm: str
    lowering: Lowering
    refusals: tuple[str, ...]


def route(library: Library, algorithm: str, plan: Plan, x: Any) -> Route:
    """Pick the first algorithm that takes the call, or see whether the one asked for does."""
    refusals: tuple[str, ...] = ()
    for name in library.algorithms:
        if algorithm in ("auto", name):
            module = lowering(library.name, name)
            refusal = module.refusal(plan, x)
            if not refusal:
                return Route(name, module, refusals)
            refusals += (f"{name} does not take {refusal}",)
    return Route("", cast(Lowering, None), refusals)


def lowering(library: str, algorithm: str) -> Lowering:
    """Import a lowering; its name is its path: ``overlap_add`` of numpy is ``_lower/_numpy/overlap_add.py``."""
    key = (library, algorithm)
    found = _LOWERINGS.get(key)
    if found is None:
        path = "_generic" if algorithm == "generic" else f"_{library}.{algorithm}"
        found = _LOWERINGS[key] = cast(Lowering, import_module(f"upconv._lower.{path}"))
    return found
