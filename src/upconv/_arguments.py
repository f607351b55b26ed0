"""From friendly arguments to exact integers: one argument at a time.

A wrong kind of thing is a TypeError, a wrong value a ValueError. Each message names the argument, the axis, the value
received, what is allowed and, where known, the fix.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Ints = tuple[int, ...]
    # What `exact` makes of an argument: hashable, and equal only where the meaning is equal.
    Exact = Any

__all__ = ["MAX_ELEMENTS", "MOST", "exact", "exact_shape", "in_range", "per_axis", "refuse_type"]

# The indices of every library have 64 bits. A crop may have more, as what is behind the last of a few far strides.
MOST = 2**63 - 1
# More bytes than a processor addresses; XLA ends the process where their number has more than 64 bits.
MAX_ELEMENTS = 2**56
# Characters of a wrong value that an error shows: of an array, the first few elements.
MOST_SHOWN = 100
# Of an array: no library that is not traced has more. A sequence that is longer is not gone through.
MOST_AXES = 64


def exact(name: str, value: Any, depth: int = 2) -> Exact:
    """Return ints as ints and sequences as tuples, two deep at most. Words, None and ints cost a look.

    Floats and bools are refused here, before anything is looked up: ``1.0 == True == 1`` as a key of a cache.
    """
    if type(value) is int or value is None or type(value) is str:
        return value
    if depth and isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        items = list(islice(value, MOST_AXES + 1))
        if len(items) > MOST_AXES:
            kind = type(value).__name__
            raise ValueError(f"`{name}` must have one value for each axis, at most {MOST_AXES}, got more in a {kind}")
        return tuple([exact(name, item, depth - 1) for item in items])
    if type(value) is not bool and "bool" not in str(getattr(value, "dtype", "")):
        try:
            return operator.index(value)
        except Exception:  # noqa: BLE001, S110
            pass  # an array or a traced value raises an error of its own library
    return refuse_type(name, value, "an int or a tuple of ints")


def exact_shape(name: str, shape: Any) -> Ints:
    """A shape that a person wrote, rather than an array's own: sizes of at least 0."""
    sizes = exact(name, shape)
    if type(sizes) is not tuple or any(type(n) is not int for n in sizes):
        refuse_type(name, shape, "a tuple of ints")
    in_range(name, "size", sizes, 0)
    return sizes


def per_axis(name: str, value: Exact, rank: int, *, least: int) -> Ints:
    """One int for each spatial axis, from one for all or one for each."""
    if type(value) is int:
        value = (value,) * rank
    if type(value) is not tuple or any(type(n) is not int for n in value):
        refuse_type(name, value, "an int or a tuple of ints")
    if len(value) != rank:
        raise ValueError(f"`{name}` must be one int or one for each of the {rank} spatial axes, got {value}")
    in_range(name, "value", value, least)
    return tuple(value)


def in_range(name: str, what: str, values: Ints, least: int, most: int = MOST) -> None:
    """Refuse what is below the least or above the most that is allowed."""
    for axis, n in enumerate(values):
        if n < least:
            raise ValueError(f"`{name}` must have every {what} at least {least}, got {n} on axis {axis} of {values}")
        if n > most:
            raise ValueError(f"`{name}` must have every {what} at most {most}, got {n} on axis {axis} of {values}")


def refuse_type(name: str, value: Any, allowed: str) -> NoReturn:
    """Say what kind of thing is wanted."""
    shown = " ".join(repr(value).split())
    shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."
    raise TypeError(f"`{name}` must be {allowed}, got {shown} of type {type(value).__name__}")
