"""What calls came to: the second of its kind is looked up whole, because its checks may take longer than its sums."""

from __future__ import annotations

from upconv._arguments import MOST_AXES
from upconv._libraries import remember
from upconv._memory import Memory
from upconv._operands import look
from upconv._plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["keep", "recall"]

# Bytes of all calls with their plans, a few thousand.
_CALLS: dict[Any, tuple[Callable[..., Any], Plan, bool]] = Memory(2**24)
_EXACT = frozenset((int, str, type(None)))


def recall(
    verb: str, rank: int | None, words: tuple[Any, ...], x: Any, weight: Any, bias: Any
) -> tuple[tuple[Any, ...] | None, tuple[Callable[..., Any], Plan, bool] | None]:
    """Return what a call has in common with all that come to the same, None where it is to be looked at anew.

    And what they came to: the function of the lowering, the plan, and whether there is a batch axis.
    """
    seen = look(x, weight, bias) if set(map(type, words)) <= _EXACT or _are_exact(words) else None
    if seen is None:
        return None, None
    key = verb, rank, seen, words
    return key, _CALLS.get(key)


def keep(key: tuple[Any, ...] | None, lower: Callable[..., Any], plan: Plan, batched: bool) -> None:
    """Make it known."""
    if key:
        remember(_CALLS, key, (lower, plan, batched))


def _are_exact(words: tuple[Any, ...]) -> bool:
    """Whether words are equal only where they mean the same, as 1.0, True and 1 are not."""
    for word in words:  # a generator takes a microsecond more
        if type(word) not in _EXACT and not (type(word) is tuple and len(word) <= MOST_AXES and _are_exact(word)):
            return False
    return True
