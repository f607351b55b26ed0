"""The process of one contender: it answers requests, a line of JSON each, until its standard input ends.

``python -m upconv._bench.worker LIBRARY CONTENDER THREADS``. Whatever a library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from upconv._bench.clock import calls_of_a_block, time_round
from upconv._bench.contenders import open_contender
from upconv._bench.memory import measure_apart
from upconv._bench.task import Call, Contender, Task, Unable

__all__ = ["Worker", "main"]

# A contender that takes longer than this for a call is not woken before each round.
SLOW_S = 0.3


class Worker:
    """What a process has prepared."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.call: Call = lambda: None
        self.block = 1
        self.wake = True

    def prepare(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Prepare a task, and write its result where it is asked for; say how long a call takes."""
        self.call = lambda: None  # the operands of the last one are gone before the next are made
        self.call = self.contender.prepare(Task.read(asked["task"]))
        start = perf_counter()
        result = self.call()
        seconds = perf_counter() - start
        np.save(asked["save"], self.contender.to_numpy(result))
        del result
        self.wake = seconds < SLOW_S
        self.block = calls_of_a_block(self.call) if self.wake else 1
        return {"seconds": seconds}

    def time(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Seconds of a call, in a round of so many seconds."""
        return {"seconds": time_round(self.call, self.block, asked["seconds"], wake=self.wake)}

    def memory(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Bytes at the peak of a first call."""
        return measure_apart(self.contender, Task.read(asked["task"]))

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; what a library raises is an answer too."""
        try:
            do: Callable[[dict[str, Any]], dict[str, Any]] = getattr(self, asked["do"])
            return do(asked)
        except Unable as why:
            return {"unable": str(why)}
        except Exception as error:  # noqa: BLE001  the library's own words are the finding
            return {"unable": _words(error)}


def _words(error: Exception) -> str:
    """The kind of an error, and the line of it that says most: the last where it quotes a program, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    return f"{type(error).__name__}: {lines[-1 if 'File ' in str(error) else 0][:200]}"


def main() -> None:
    """Say which versions run, then answer."""
    library, name, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def send(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    if hasattr(os, "sched_setaffinity"):  # what some pools go by
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    try:
        worker = Worker(open_contender(library, name, int(threads)))
        send({"versions": worker.contender.versions()})
    except Exception as error:  # noqa: BLE001  as above
        send({"unable": f"does not start: {_words(error)}"})
        return
    for line in sys.stdin:
        send(worker.answer(json.loads(line)))


if __name__ == "__main__":
    main()
