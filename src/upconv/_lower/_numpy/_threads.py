"""Tiles side by side, and the buffers that each thread keeps.

NumPy lets go of the interpreter in products and in long additions, so the additions of one tile run beside the product
of another. But OpenBLAS computes one product on many cores at a time: as long as tiles run, threadpoolctl tells it to
take one core for each, which is a setting of the whole process. One call at a time does so; those of other threads
meanwhile, and all calls where threadpoolctl is not installed, take their tiles in turn. What is compiled
asks nothing of BLAS, and takes no turn.

An interrupt may come between any two steps here, so each step is one call of C, and what is to be put back can be put
back twice. `concurrent.futures` is not made so: interrupted in `wait`, it keeps locks that its threads then wait for.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from math import prod
from queue import SimpleQueue
from threading import Lock, Thread, local
from typing import Any

import numpy as np

__all__ = ["MOST_THREADS", "buffer", "cores", "share", "side_by_side"]

# Each thread has a tile of its own, and all of them are to stay below 32 MiB.
MOST_THREADS = 4
# What a thread keeps for its next call: fresh pages cost more than the sums in them.
KEPT_BYTES = 6 << 20


class _Turn:
    """One call's turn to say how many threads BLAS takes, and how many it took before."""

    before: tuple[int, ...] = ()


class _Blas:
    """The number of threads that BLAS takes. Nothing else is promised than that the call that changes it puts it back.

    A dictionary in the place of a lock: `setdefault` is one step, and afterwards tells whose turn it is, where an
    interrupt between taking a lock and noting that it was taken would leave it taken.
    """

    def __init__(self) -> None:
        self.turns: dict[str, _Turn] = {}
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

    def threads(self) -> tuple[int, ...]:
        return tuple([library.get_num_threads() for library in self.libraries()])

    def take(self, turn: _Turn) -> bool:
        """Try to make it one, unless it is another call's turn.

        Where another thread of the program has set it before, threadpoolctl takes no orders from this one.
        """
        if self.turns.setdefault("blas", turn) is not turn:
            return False
        turn.before = self.threads()
        self._set((1,) * len(turn.before))
        return max(self.threads()) == 1

    def give_back(self, turn: _Turn) -> None:
        """Put it back, if it is still this call's turn: a second time does nothing."""
        if self.turns.get("blas") is turn:
            self._set(turn.before)
            self.turns.pop("blas", None)

    def _set(self, numbers: tuple[int, ...]) -> None:
        for library, n in zip(self.libraries(), numbers, strict=False):  # no numbers, where nothing was changed yet
            library.set_num_threads(n)

    def after_fork(self) -> None:
        """Put back what a thread that the fork has left behind had set."""
        for turn in self.turns.copy().values():
            self.give_back(turn)


class _Errand:
    """Tasks that another thread may help with."""

    def __init__(self, left: deque[Callable[[], None]], errors: dict[str, Any]) -> None:
        self.left, self.errors = left, errors
        self.claim, self.done = Lock(), Lock()
        self.done.acquire()
        self.raised: BaseException | None = None

    def run(self) -> None:
        """On the other thread, where what the caller says of overflows and the like holds too."""
        if self.claim.acquire(blocking=False):
            try:
                with np.errstate(**self.errors):
                    _run(self.left)
            except BaseException as error:  # noqa: BLE001  the caller raises it
                self.raised = error
            finally:
                self.done.release()

    def wait(self) -> None:
        """Until it is done; if no thread has begun with it, none will."""
        if not self.claim.acquire(blocking=False):
            self.done.acquire()


_blas = _Blas()
_errands: SimpleQueue[_Errand] = SimpleQueue()
_helpers: list[Thread] = []
_kept = local()


def _help(errands: SimpleQueue[_Errand]) -> None:
    while True:
        errands.get().run()


def cores() -> int:
    """How many tiles may run at a time: as many as BLAS would take threads."""
    return min(MOST_THREADS, max(_blas.threads(), default=1))


def side_by_side(tasks: Iterable[Callable[[], None]], *, wake: bool, most: int = MOST_THREADS) -> None:
    """Run all tasks on this thread, and where it is worth waking them and no other call has, on some others."""
    left = deque(tasks)
    threads = min(len(left), cores(), most) if wake else 1
    if threads < 2:
        _run(left)
        return
    turn = _Turn()
    try:
        share(left, threads if _blas.take(turn) else 1)
        _blas.give_back(turn)
    finally:
        _blas.give_back(turn)  # where it was interrupted


def share(tasks: Iterable[Callable[[], None]], threads: int) -> None:
    """Run all tasks, on this thread and as many others as there are to be; BLAS is left as it is."""
    left, others = deque(tasks), list[_Errand]()
    threads = min(threads, len(left))
    try:
        if threads > 1:
            errors = {**np.geterr(), "call": np.geterrcall()}
            while len(others) < threads - 1:
                others.append(_Errand(left, errors))
                _ask(others)
        _run(left)
    finally:
        left.clear()  # where this thread was interrupted
        for other in others:
            other.wait()
    for other in others:
        if other.raised is not None:
            raise other.raised


def _ask(others: list[_Errand]) -> None:
    """Give the last to a thread; there are as many threads as a call ever had others."""
    if len(_helpers) < len(others):
        helper = Thread(target=_help, args=(_errands,), name="upconv", daemon=True)
        helper.start()
        _helpers.append(helper)  # now: one too many does no harm, and one that never started would be missed
    _errands.put(others[-1])


def _run(left: deque[Callable[[], None]]) -> None:
    """Run tasks until none is left, with the thread's buffers; a call in the midst of another finds none."""
    outer, ours = getattr(_kept, "used", None), vars(_kept).pop("free", {})
    _kept.used = ours
    try:
        while left:
            try:
                task = left.popleft()
            except IndexError:  # another thread took the last
                return
            task()
    finally:
        _kept.used, _kept.free = outer, ours


def buffer(slot: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return this thread's memory of a name, with whatever it holds."""
    size = prod(shape) * dtype.itemsize
    if size > KEPT_BYTES:
        return np.empty(shape, dtype)
    kept = _kept.used.get(slot)
    if kept is None or len(kept) < size:
        kept = _kept.used[slot] = np.empty(size, np.uint8)
    return kept[:size].view(dtype).reshape(shape)


def _after_fork() -> None:
    """Leave behind threads that are not there, and a queue that one of them may have locked."""
    global _errands  # noqa: PLW0603
    _helpers.clear()
    _errands = SimpleQueue()
    _blas.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
