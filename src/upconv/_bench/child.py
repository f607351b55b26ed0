"""A worker as the conductor sees it: a process that is stopped whenever it is not asked anything."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import upconv

__all__ = ["Child", "Silent", "environment"]

CAN_STOP = hasattr(signal, "SIGSTOP")
# With -P, no module of the current folder, as somebody's numpy.py, stands in for a library. The package measured is the
# one that runs here, wherever it lies, and nothing else is imported from beside it.
START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import upconv; del sys.path[0]; "
    "from upconv._bench.worker import main; main()"
)


class Silent(Exception):  # noqa: N818  a finding
    """A process that ended, or gave no answer in time."""


def environment(threads: int) -> dict[str, str]:
    """What tells every library how many threads it has, and that there is no GPU."""
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    elsewhere = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return dict.fromkeys(pools, str(threads)) | elsewhere


class Child:
    """One process. Stopped by a signal, its pool of threads cannot spin while another's works."""

    def __init__(self, library: str, name: str, threads: int, patience: float, more: Mapping[str, str]) -> None:
        self.patience = patience
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed with the process
        self.process = subprocess.Popen(  # noqa: S603  a module of this package
            [sys.executable, "-P", "-c", START, str(Path(upconv.__file__).parents[1]), library, name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=os.environ | environment(threads) | dict(more),
            # A group of its own: an interrupt of the terminal is the conductor's to handle. And where the conductor
            # dies, the system hangs up stopped groups that it leaves behind.
            process_group=0 if CAN_STOP else None,
        )
        try:
            self.first = self._read()
        except Silent:
            self.close()
            raise
        self._stop()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Let the process run until it has answered."""
        if CAN_STOP:
            self.process.send_signal(signal.SIGCONT)
        try:
            self._write({"do": do} | more)
            return self._read()
        finally:
            self._stop()

    def close(self) -> None:
        """End the process."""
        self.process.kill()  # also where it is stopped
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            with suppress(BrokenPipeError):  # what was not read by then
                file.close() if file else None

    def _stop(self) -> None:
        if CAN_STOP and self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)
            if hasattr(os, "waitid"):  # until it has; an end is left to `poll`
                os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _write(self, asked: dict[str, Any]) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write((json.dumps(asked) + "\n").encode())
            self.process.stdin.flush()
        except OSError:
            raise Silent(self._last_words()) from None

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        if CAN_STOP and not select.select([self.process.stdout], [], [], self.patience)[0]:
            raise Silent(f"no answer in {self.patience:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise Silent(self._last_words())
        return dict(json.loads(line))

    def _last_words(self) -> str:
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines() or ["no word"]
        return f"ended with {self.process.returncode}: {lines[-1][:200]}"
