"""Compile a specialisation of the CUDA text for this CPU, and launch it: what `cupy.RawModule` is on a GPU."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / f"upconv-cuda-on-cpu-{os.getuid()}"
COMPILER = shutil.which("g++")
FLAGS = ("-std=c++20", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing", "-Wno-unknown-pragmas")


class Broken(Exception):
    """The kernel did what no kernel may do."""


@lru_cache(maxsize=None)
def compiled(text, macros, entry):
    """The shared object of one specialisation; kept under the hash of all that it depends on."""
    text = "\n".join([(HERE / "shim.cpp").read_text(), text, (HERE / "entry.cpp").read_text()])
    command = [COMPILER, *FLAGS, *macros, f"-DENTRY={entry}", "-x", "c++", "-"]
    key = hashlib.sha256("\0".join([*command, text]).encode()).hexdigest()[:24]
    CACHE.mkdir(exist_ok=True)
    target = CACHE / f"{key}.so"
    if not target.exists():
        with tempfile.NamedTemporaryFile(dir=CACHE, suffix=".so", delete=False) as made:
            run = subprocess.run([*command, "-o", made.name], input=text, capture_output=True, text=True)
        if run.returncode:
            Path(made.name).unlink()
            raise RuntimeError(run.stderr[:4000])
        Path(made.name).rename(target)  # at once, whatever another worker does
    library = ctypes.CDLL(str(target))
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
