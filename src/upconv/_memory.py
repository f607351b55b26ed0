"""Memories of what was worked out before, bounded by the bytes of what they hold."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["Memory", "remembered", "size_of"]


class Memory(dict):  # type: ignore[type-arg]  # a dictionary in all but what it takes in
    """A dictionary that is emptied where one entry more would exceed its bytes; an entry larger than that is not kept.

    The sizes are added up anew for each entry: a running total would lose what two threads add at a time.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.sizes: dict[Any, int] = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        size = size_of((key, value))
        if size > self.most:
            return
        if size + sum(tuple(self.sizes.values())) > self.most:
            self.clear()
        super().__setitem__(key, value)
        self.sizes[key] = size

    def clear(self) -> None:
        """Forget all: the sizes first, so that what another thread adds meanwhile is counted, if it stays."""
        self.sizes.clear()
        super().clear()


def remembered(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function of hashable positional arguments: its results are kept, in so many bytes.

    It stands in for functools.lru_cache, which counts results whatever their size; None is not kept.
    """

    def decorate(make: Callable[P, T]) -> Callable[P, T]:
        memory = Memory(most)

        def recall(*key: P.args, **_: P.kwargs) -> T:
            found = memory.get(key)
            if found is None:
                found = memory[key] = make(*key)  # type: ignore[call-arg]
            return found

        vars(recall).update(memory=memory, cache_clear=memory.clear, __wrapped__=make)
        recall.__doc__ = make.__doc__
        return recall

    return decorate


def size_of(value: Any) -> int:
    """Return the bytes of a value and of the sequences, slices and arrays that it holds, each counted once."""
    left, seen, total = [value], set(), 0
    while left:
        item = left.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        total += max(sys.getsizeof(item), getattr(item, "nbytes", 0))
        if isinstance(item, (tuple, list)):
            left.extend(item)
        elif isinstance(item, slice):
            left += item.start, item.stop, item.step
    return total
