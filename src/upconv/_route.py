"""Which algorithm of its library takes a call: the first in the table that can, and is not slow at it."""

from __future__ import annotations

from collections import namedtuple

from upconv._libraries import Library, lowerings, owner
from upconv._plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Route", "computes", "route"]

# The lowering that takes a call, its name, its function for the verb, and what those before it said against the call.
Route = namedtuple("Route", "algorithm lowering lower refusals")


def route(verb: str, library: Library, algorithm: str, plan: Plan, x: Any) -> Route:
    """Pick the first algorithm that takes the call and is not slow at it, or see whether the one asked for takes it.

    No name means none. An algorithm asked for by name is not asked how fast it is.
    """
    refusals: tuple[str, ...] = ()
    candidates = lowerings(library.name)
    for name in library.algorithms:
        if algorithm in ("auto", name):
            lowering = candidates[name]
            lower = getattr(lowering, verb, None)
            refuse = getattr(lowering, f"refusal_{verb}", lowering.refusal)
            refusal = refuse(plan, x) if lower else f"{verb}: it computes transposed convolutions alone"
            ask = getattr(lowering, f"slow_{verb}", getattr(lowering, "slow", _never))
            slow = "" if refusal or algorithm == name else ask(plan, x)
            if not refusal and not slow:
                return Route(name, lowering, lower, refusals)
            refusals += (f"{name} does not take {refusal}" if refusal else f"{name} is slower {slow}",)
    return Route("", None, None, refusals)


def _never(plan: Plan, x: Any) -> str:
    return ""


def computes(array: Any, algorithm: str, *verbs: str) -> bool:
    """Whether an algorithm that took the array's library has these verbs too; 'auto' finds one that has."""
    library = owner(array)
    return algorithm == "auto" or library is None or all(hasattr(lowerings(library.name)[algorithm], v) for v in verbs)
