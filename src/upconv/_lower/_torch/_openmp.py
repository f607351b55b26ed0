"""PyTorch's own threads, given tasks that are not its own.

After each op the threads of its OpenMP runtime wait awake for the next, and share the cores with any others that work
meanwhile: between two ops a layer took 11.4 ms on threads of another kind, where PyTorch's own op took 9.4. So tasks go
to the same team, by the call that compilers make of a parallel region: ``GOMP_parallel``, which the runtimes of GCC,
LLVM and Intel all have. Its work is a function of Python here, and whatever takes long in it lets go of the
interpreter.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any

import torch

__all__ = ["is_here", "side_by_side"]

_Work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _find() -> Any:
    """Look the function up as PyTorch would; on Windows, and where PyTorch was built without OpenMP, there is none."""
    try:
        return ctypes.CDLL(torch._C.__file__).GOMP_parallel  # noqa: SLF001
    except (AttributeError, OSError):
        return None


_parallel = _find()


def is_here() -> bool:
    """Whether there is such a team; a process that was forked has none of its threads."""
    return _parallel is not None


def side_by_side(tasks: Iterable[Callable[[], None]], threads: int) -> None:
    """Run all tasks, on so many threads of the team where it is there."""
    left = deque(tasks)
    todo, done, ended, raised = len(left), list[None](), list[int](), list[BaseException]()

    def work(_: Any) -> None:
        try:
            while left:
                try:
                    task = left.popleft()
                except IndexError:  # another thread took the last
                    break
                task()
                done.append(None)
        except BaseException as error:  # noqa: BLE001  raised below: no error passes through C
            raised.append(error)
            left.clear()
        ended.append(get_ident())

    if _parallel is None or threads < 2 or todo < 2:
        work(None)
    else:
        _parallel(_Work(work), None, min(threads, todo), 0)
    if raised:
        raise raised[0]
    if len(done) < todo or get_ident() not in ended:  # an interrupt outside of the `try`, which ctypes says and drops
        raise KeyboardInterrupt


def _after_fork() -> None:
    global _parallel  # noqa: PLW0603
    _parallel = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
