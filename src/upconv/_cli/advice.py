"""What could be installed here, and what it would bring: never a command that breaks or bloats this environment."""

from __future__ import annotations

from collections.abc import Collection
from importlib import util
from pathlib import Path
from shutil import which

__all__ = ["faster", "install"]

# Extras that add wheels of moderate size and change nothing that is installed.
HARMLESS = ("jax", "tensorflow", "dask", "strict")
TORCH = "torch as PyTorch's own install page says for CPU, because a plain pip install may bring gigabytes of CUDA"
MXNET = "mxnet only in an environment of its own, because it would replace NumPy by one before 1.24"
COMPILED = ("numpy", "torch")  # the libraries with loops that Numba compiles


def install(missing: Collection[str]) -> str:
    """Say in one line which libraries are not installed, and how each is added without harm."""
    if not missing:
        return ""
    if "mxnet" not in missing:  # which is what holds NumPy back here
        ways = ["each in another environment, because they may replace the NumPy that mxnet needs"]
    else:
        extras = ",".join(name for name in HARMLESS if name in missing)
        ways = [f'pip install "upconv[{extras}]"'] if extras else []
        ways += [TORCH] if "torch" in missing else []
        ways += [MXNET]
    if "cupy" in missing and "mxnet" in missing and _has_gpu():
        ways.append('cupy for the GPU by pip install "upconv[cupy]"')
    return f"Not installed: {', '.join(missing)}. To add some: {'; '.join(ways)}."


def faster(compared: Collection[str]) -> str:
    """Say what would make the rows of these libraries faster, if that is not installed."""
    lacks = [name for name in ("numba", "threadpoolctl") if util.find_spec(name) is None]
    rows = [name for name in COMPILED if name in compared]
    if not rows or not lacks or (lacks == ["threadpoolctl"] and "numpy" not in rows):
        return ""
    return (
        f'Without {" and ".join(lacks)}, which pip install "upconv[numba]" brings, '
        f"{' and '.join(rows)} may be slower here than upconv can be."
    )


def _has_gpu() -> bool:
    """Whether there is a driver of NVIDIA's."""
    return Path("/proc/driver/nvidia/version").exists() or which("nvidia-smi") is not None
