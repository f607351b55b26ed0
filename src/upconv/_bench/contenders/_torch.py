"""upconv and PyTorch's own op on tensors, and PyTorch given NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import upconv
from upconv._bench.task import Call, Task

__all__ = ["OwnTorch", "TorchOnNumPy", "UpconvTorch"]


def _own(x: Any, weight: Any, task: Task) -> Any:
    op = getattr(torch.nn.functional, f"conv_transpose{task.layer.rank}d")
    return op(x, weight, **task.layer.arguments)


def _upconv(x: Any, weight: Any, task: Task) -> Any:
    return upconv.conv_transpose(x, weight, **task.words)


def _tensor(a: Any) -> Any:
    """Share the memory; bfloat16, which PyTorch does not take from NumPy, by its bits."""
    return (
        torch.from_numpy(a.view(np.int16)).view(torch.bfloat16) if a.dtype.name == "bfloat16" else torch.from_numpy(a)
    )


def _array(result: Any) -> Any:
    return result.view(torch.int16).numpy() if result.dtype == torch.bfloat16 else result.numpy()


class OwnTorch:
    """The op of `torch.nn.functional`, and its derivatives by autograd, of the one that is asked for alone."""

    op: Callable[..., Any] = staticmethod(_own)

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def prepare(self, task: Task) -> Call:
        x, weight, cotangent = map(_tensor, task.values())
        if task.verb == "forward":

            def forward() -> Any:
                with torch.inference_mode():
                    return self.op(x, weight, task)

            return forward
        wanted = x if task.verb == "dx" else weight
        wanted.requires_grad_()
        y = self.op(x, weight, task)
        return lambda: torch.autograd.grad(y, wanted, cotangent, retain_graph=True)[0]

    def to_numpy(self, result: Any) -> Any:
        return (result.float() if result.dtype == torch.bfloat16 else result).numpy()


class UpconvTorch(OwnTorch):
    """`upconv.conv_transpose`, and its derivatives by autograd."""

    op = staticmethod(_upconv)

    def versions(self) -> dict[str, str]:
        return {"upconv": upconv.__version__, "torch": torch.__version__}


class TorchOnNumPy(OwnTorch):
    """PyTorch's fastest way from NumPy arrays to a NumPy array: no autograd, no copy."""

    def prepare(self, task: Task) -> Call:
        x, weight, cotangent = task.values()
        layer = task.layer
        stride, padding, more, dilation = map(layer.each, ("stride", "padding", "output_padding", "dilation"))
        shape = torch.empty(1, dtype=_tensor(x[:0]).dtype)

        def dx() -> Any:
            op = getattr(torch.nn.functional, f"conv{layer.rank}d")
            return op(_tensor(cotangent), _tensor(weight), None, stride, padding, dilation, layer.groups)

        def dweight() -> Any:
            operands = (_tensor(cotangent), _tensor(x), shape.expand(layer.weight))  # of the weight, its shape
            words = (stride, padding, dilation, True, more, layer.groups)
            return torch.ops.aten.convolution_backward(*operands, None, *words, [False, True, False])[1]

        run = {"forward": lambda: _own(_tensor(x), _tensor(weight), task), "dx": dx, "dweight": dweight}[task.verb]

        def call() -> Any:
            with torch.inference_mode():
                return _array(run())

        return call

    def to_numpy(self, result: Any) -> Any:
        return (
            (result.astype(np.uint16).astype(np.uint32) << 16).view(np.float32) if result.dtype == np.int16 else result
        )
