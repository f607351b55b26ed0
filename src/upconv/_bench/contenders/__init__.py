"""The table of contenders: for each library, upconv and whom it is measured against."""

from __future__ import annotations

from importlib import import_module, util

from upconv._bench.task import Contender

__all__ = ["CONTENDERS", "LIMITS", "NEEDS", "missing", "open_contender"]

# library -> contender -> the class in a file of this folder.
CONTENDERS = {
    "numpy": {
        "upconv": "_numpy.UpconvNumPy",
        "torch": "_torch.TorchOnNumPy",
        "onnxruntime": "_onnxruntime.OnnxRuntime",
        "jax": "_jax.JaxOnNumPy",
    },
    "torch": {"upconv": "_torch.UpconvTorch", "torch": "_torch.OwnTorch"},
    "jax": {"upconv": "_jax.UpconvJax", "jax": "_jax.OwnJax"},
    "tensorflow": {"upconv": "_tensorflow.UpconvTensorFlow", "tensorflow": "_tensorflow.OwnTensorFlow"},
}
# No rivals: what the limits are measured with, beside every library.
LIMITS = {"matmul": "_numpy.Matmul", "copy": "_numpy.Copy"}
NEEDS = {"upconv": (), "onnxruntime": ("onnxruntime", "onnx")}


def missing(library: str, name: str) -> str:
    """Which packages a contender lacks here, or nothing."""
    needs = {library, *NEEDS.get(name, (name,))} - LIMITS.keys()
    return ", ".join(sorted(need for need in needs if util.find_spec(need) is None))


def open_contender(library: str, name: str, threads: int) -> Contender:
    """Import a contender's library."""
    file, _, kind = (CONTENDERS[library] | LIMITS)[name].partition(".")
    contender: Contender = getattr(import_module(f"{__name__}.{file}"), kind)(threads)
    return contender
