"""The peak memory of a first call beyond its operands and its result, on Linux alone, which tells and resets it."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

from upconv._bench.layers import DTYPES, Layer
from upconv._bench.task import Contender, Task

__all__ = ["GIVE_BACK", "KEEP", "measure_apart", "peak", "small"]

# By default glibc keeps what is freed, or gives it back, by what was allocated before: the same call of the same op was
# three times slower in the process where its result had to be made of new pages, at 4 µs each. So it is told: keep all,
# where computing is timed, and keep nothing, where memory is measured and where new pages are to be part of the time.
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_TOP_PAD_": "0"}


def measure_apart(contender: Contender, task: Task) -> dict[str, Any]:
    """Fork before the library has computed anything, so that each layer finds it without workspace kept from others."""
    if sys.platform != "linux":
        return {"unable": "memory is measured on Linux alone"}
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        try:
            answer: dict[str, Any] = {"bytes": peak(contender, task)}
        except BaseException as error:  # noqa: BLE001  the forked process must not go on as if it were the first
            answer = {"unable": f"{type(error).__name__}: {error}"}
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return dict(json.loads(text)) if text else {"unable": f"ended by {os.waitstatus_to_exitcode(status)}"}


def peak(contender: Contender, task: Task) -> int:
    """Bytes of a first call, after a small layer of the same kind has loaded the code and started the threads."""
    for algorithm in (task.algorithm, "direct"):  # which loads Numba, and which 'auto' may take for larger layers alone
        with suppress(ValueError):
            for _ in range(2):
                contender.prepare(task._replace(layer=small(task.layer), algorithm=algorithm))()
    call = contender.prepare(task)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status()
    result = call()
    after = _status()
    del result
    code = max(0, after["RssFile"] - before["RssFile"])  # pages of the library's own text, read late
    size = prod(task.layer.result(task.verb)) * DTYPES[task.dtype]
    return max(0, after["VmHWM"] - before["VmRSS"] - code - size)


def small(layer: Layer) -> Layer:
    """The layer with few samples and channels, and one image; not so few that another algorithm takes it."""
    g = layer.groups
    ins = g * min(8, layer.x[1] // g)
    size = tuple(min(n, 16 if len(layer.x) < 5 else 6) for n in layer.x[2:])
    return layer._replace(x=(1, ins, *size), weight=(ins, min(8, layer.weight[1]), *layer.weight[2:]))


def _status() -> dict[str, int]:
    rows = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {row[0][:-1]: int(row[1]) * 1024 for row in rows if row[-1] == "kB"}
