"""Tiles side by side, and the buffers that each thread keeps.

NumPy lets go of the interpreter in products and in long additions, so the additions of one tile run beside the product
of another. But OpenBLAS computes one product on many cores at a time: as long as tiles run, threadpoolctl tells it to
take one core for each, which is a setting of the whole process. One call at a time does so; those of other threads
meanwhile, and all calls where threadpoolctl is not installed, take their tiles in turn.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import prod
from threading import Lock, local
from typing import Any

import numpy as np

__all__ = ["buffer", "cores", "side_by_side"]

# Each thread has a tile of its own, and all of them are to stay below 32 MiB.
MOST_THREADS = 4
# What a thread keeps for its next call: fresh pages cost more than the sums in them.
KEPT_BYTES = 6 << 20


class _Blas:
    """The number of threads that BLAS takes."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.before: list[int] = []
        self.found: Any = None

    def libraries(self) -> Any:
        if self.found is None:
            try:
                from threadpoolctl import ThreadpoolController
            except ImportError:
                self.found = []
            else:
                self.found = ThreadpoolController().select(user_api="blas").lib_controllers
        return self.found

    def threads(self) -> list[int]:
        return [library.get_num_threads() for library in self.libraries()]

    @contextmanager
    def one_thread(self) -> Iterator[bool]:
        """Try to make it one; nothing else is promised than that the thread that changes it puts it back.

        Where another thread of the program has set it before, threadpoolctl takes no orders from this one.
        """
        if not self.lock.acquire(blocking=False):
            yield False
            return
        try:
            self.before = self.threads()
            self._set([1] * len(self.before))
            yield max(self.threads()) == 1
        finally:
            self._set(self.before)
            self.lock.release()

    def _set(self, numbers: list[int]) -> None:
        for library, n in zip(self.libraries(), numbers, strict=True):
            library.set_num_threads(n)

    def after_fork(self) -> None:
        """Put back what a thread that the fork has left behind had set."""
        if self.lock.locked():
            self.lock = Lock()
            self._set(self.before)


_blas = _Blas()
_pools: list[ThreadPoolExecutor] = []
_kept = local()


def cores() -> int:
    """How many tiles may run at a time: as many as BLAS would take threads."""
    return min(MOST_THREADS, max(_blas.threads(), default=1))


def side_by_side(tasks: Iterable[Callable[[], None]], *, wake: bool) -> None:
    """Run all tasks on this thread, and where it is worth waking them and no other call has, on others."""
    left = deque(tasks)
    threads = min(len(left), cores()) if wake else 1
    if threads < 2:
        _run(left)
        return
    with _blas.one_thread() as divided:
        if not _pools:
            _pools.append(ThreadPoolExecutor(MOST_THREADS - 1, "upconv"))
        others = [_pools[0].submit(_run, left) for _ in range(threads - 1)] if divided else []
        try:
            _run(left)
        finally:
            left.clear()  # where this thread was interrupted
            for other in others:
                if not other.cancel():
                    other.result()


def _run(left: deque[Callable[[], None]]) -> None:
    while True:
        try:
            task = left.popleft()
        except IndexError:
            return
        task()


def buffer(slot: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return this thread's memory of a name, with whatever it holds."""
    size = prod(shape) * dtype.itemsize
    if size > KEPT_BYTES:
        return np.empty(shape, dtype)
    kept = getattr(_kept, slot, None)
    if kept is None or len(kept) < size:
        kept = np.empty(size, np.uint8)
        setattr(_kept, slot, kept)
    return kept[:size].view(dtype).reshape(shape)


def _after_fork() -> None:
    _pools.clear()  # its threads were left behind
    _blas.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
