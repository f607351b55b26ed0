"""Compile a specialisation of the CUDA text for this CPU, and launch it: what `cupy.RawModule` is on a GPU."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / f"upconv-cuda-on-cpu-{os.getuid()}"
COMPILER = shutil.which("g++")
FLAGS = ("-std=c++20", "-O2", "-fPIC", "-ffp-contract=off", "-fno-strict-aliasing", "-Wno-unknown-pragmas")


class Broken(Exception):  # noqa: N818  it is a finding
    """The kernel did what no kernel may do."""


def _kept(suffix, text, *words):
    """What g++ makes of a text; kept under the hash of all that it depends on."""
    headers = [(HERE / name).read_text() for name in ("shim.h", "runtime.cpp")]
    key = hashlib.sha256("\0".join([*FLAGS, *map(str, words), text, *headers]).encode()).hexdigest()[:24]
    CACHE.mkdir(exist_ok=True)
    target = CACHE / f"{key}{suffix}"
    if not target.exists():
        if COMPILER is None:
            raise RuntimeError("the CUDA text is compiled for this CPU by g++, which is not installed")
        with tempfile.NamedTemporaryFile(dir=CACHE, suffix=suffix, delete=False) as made:
            command = [COMPILER, *FLAGS, *words[:-1], "-x", "c++", "-", *words[-1], "-o", made.name]
            run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if run.returncode:
            Path(made.name).unlink()
            raise RuntimeError(run.stderr[:4000])
        Path(made.name).rename(target)  # at once, whatever another worker does
    return str(target)


@cache
def compiled(text, macros, entry):
    """The launcher of one specialisation."""
    runtime = _kept(".o", (HERE / "runtime.cpp").read_text(), f"-I{HERE}", "-c", ())
    text = "\n".join(['#include "shim.h"', text, (HERE / "entry.cpp").read_text()])
    words = ("-x", "none", runtime)
    library = ctypes.CDLL(_kept(".so", text, f"-I{HERE}", "-shared", f"-DENTRY={entry}", *macros, words))
    library.launch.restype = ctypes.c_char_p
    library.launch.argtypes = (
        *(ctypes.c_void_p, ctypes.c_ulong, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p, ctypes.c_int),
    )
    return library.launch


def launch(text, macros, entry, blocks, threads, argument, regions, seed=0):
    """Run all blocks; `regions` are the (begin, end) addresses of the arrays that the kernel may touch."""
    flat = [address for region in regions for address in region]
    known = (ctypes.c_uint64 * max(1, len(flat)))(*flat)
    words = argument.tobytes()
    error = compiled(text, macros, entry)(words, len(words), blocks, threads, seed, known, len(regions))
    if error:
        raise Broken(error.decode())
