"""A complex array and a real one in one call: the call is linear in each, so that two real calls give both parts."""

from __future__ import annotations

from upconv._libraries import Library, dtype_name, lowerings, owner
from upconv._operands import REAL, common_library, is_prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Pair = tuple[Any, Any]

__all__ = ["join", "mixed_note", "parts", "real_operands", "real_part", "real_product"]


def real_operands(x: Any, other: Any, bias: Any = None, name: str = "weight") -> tuple[Pair, Pair, Pair] | None:
    """Return x, the other and the bias as the two real calls take them; None where one call does.

    That is where x and the other are of one kind, and where they do not fit together: the one call says why.
    """
    library = owner(x)
    if library is None or not (owner(other) is library or (library.name == "cupy" and is_prepared(other))):
        return None
    if x.dtype == other.dtype:
        return None
    ours, theirs = dtype_name(library, x.dtype), dtype_name(library, other.dtype)
    if REAL.get(ours, "") != theirs and REAL.get(theirs, "") != ours:
        return None
    common_library(x)
    if owner(other) is library:
        common_library(other, name=name)
    xs = parts(x) if ours in REAL else (x, x)
    others = parts(other, library) if theirs in REAL else (other, other)
    return xs, others, _bias(library, bias, ours, theirs)


def parts(array: Any, library: Library | None = None) -> Pair:
    """Real and imaginary part of an array; of a prepared weight, whose library must be told."""
    generic: Any = lowerings((library or common_library(array)).name)["generic"]
    return generic.parts(array)


def join(real: Any, imaginary: Any, *operands: Any) -> Any:
    """Make one complex array of two real ones, in the dtype of the operand that is complex."""
    library = common_library(real)
    names = ((dtype_name(library, a.dtype), a.dtype) for a in operands)
    generic: Any = lowerings(library.name)["generic"]
    return generic.join(real, imaginary, next(dtype for name, dtype in names if name in REAL))


def real_product(like: Any, function: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """What a bilinear function makes of two arrays; of two complex ones the real part alone, if ``like`` is real.

    That is half the products.
    """
    library = owner(a)
    if library is None or not _is_complex(library, a) or _is_complex(library, like):
        return function(a, b)
    (a_real, a_imaginary), (b_real, b_imaginary) = parts(a, library), parts(b, library)
    return function(a_real, b_real) - function(a_imaginary, b_imaginary)


def real_part(like: Any, array: Any) -> Any:
    """Return the array, or its real part alone, if ``like`` is real."""
    library = owner(array)
    return array if library is None or _is_complex(library, array) == _is_complex(library, like) else parts(array)[0]


def mixed_note(x: Any, weight: Any) -> str:
    """Say what is split, for `explain`."""
    library = owner(x)
    name = "x" if library and _is_complex(library, x) else "weight"
    return f"`{name}` alone is complex: two real calls, of its real and of its imaginary part"


def _is_complex(library: Library, array: Any) -> bool:
    return dtype_name(library, array.dtype) in REAL


def _bias(library: Library, bias: Any, *names: str) -> Pair:
    """Share a bias between both calls: a real one is part of the real call alone."""
    if bias is None or owner(bias) is not library:
        return bias, None
    dtype = dtype_name(library, bias.dtype)
    if dtype not in names:
        raise TypeError(
            f"`x` has dtype {names[0]}, `weight` {names[1]} and `bias` {dtype}; convert `bias` to {names[0]} or "
            f"{names[1]}"
        )
    common_library(bias, name="bias")
    return parts(bias) if dtype in REAL else (bias, None)
