"""upconv and XLA's own op on JAX arrays, and JAX given NumPy arrays; all compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import upconv
from upconv._bench.task import Call, Task

__all__ = ["JaxOnNumPy", "OwnJax", "UpconvJax"]


def _own(x: Any, weight: Any, task: Task) -> Any:
    """What `jax.lax.conv_transpose` lowers to, with the groups that it lacks."""
    layer, g = task.layer, task.layer.groups
    ins, outs, axes = layer.weight[0], layer.weight[1], tuple(range(2, weight.ndim))
    kernel = jnp.flip(weight, axes)
    if g > 1:
        kernel = jnp.moveaxis(kernel.reshape(g, ins // g, *weight.shape[1:]), 0, 1)
        kernel = kernel.reshape(ins // g, g * outs, *weight.shape[2:])
    words = map(layer.each, ("dilation", "padding", "output_padding"))
    full = [(d * (k - 1) - p, op) for k, d, p, op in zip(layer.weight[2:], *words, strict=True)]
    digits = "".join(map(str, range(layer.rank)))
    return jax.lax.conv_general_dilated(
        *(x, kernel, (1,) * layer.rank, [(lo, lo + op) for lo, op in full]),
        lhs_dilation=layer.each("stride"),
        rhs_dilation=layer.each("dilation"),
        dimension_numbers=(f"NC{digits}", f"IO{digits}", f"NC{digits}"),
        feature_group_count=g,
    )


def _upconv(x: Any, weight: Any, task: Task) -> Any:
    return upconv.conv_transpose(x, weight, **task.words)


class OwnJax:
    """The op, and its derivatives by `jax.vjp`, of the one that is asked for alone."""

    op: Callable[..., Any] = staticmethod(_own)

    def __init__(self, threads: int) -> None:
        pass  # XLA takes as many threads as the process has cores

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__}

    def compiled(self, task: Task) -> Callable[..., Any]:
        """Compile the verb, without running it. What it does not use is not given to XLA."""
        if task.dtype == "float64":  # never back: a process may have other uses of it
            jax.config.update("jax_enable_x64", True)

        def forward(x: Any, weight: Any, cotangent: Any) -> Any:
            return self.op(x, weight, task)

        def dx(x: Any, weight: Any, cotangent: Any) -> Any:
            return jax.vjp(lambda x: self.op(x, weight, task), x)[1](cotangent)[0]

        def dweight(x: Any, weight: Any, cotangent: Any) -> Any:
            return jax.vjp(lambda weight: self.op(x, weight, task), weight)[1](cotangent)[0]

        run = jax.jit({"forward": forward, "dx": dx, "dweight": dweight}[task.verb])
        compiled: Callable[..., Any] = run.lower(*task.values()).compile()
        return compiled

    def prepare(self, task: Task) -> Call:
        run = self.compiled(task)
        operands = tuple(map(jnp.asarray, task.values()))
        return lambda: run(*operands).block_until_ready()

    def to_numpy(self, result: Any) -> Any:
        a = np.asarray(result)
        return a if a.dtype.kind == "f" else a.astype(np.float32)


class UpconvJax(OwnJax):
    """`upconv.conv_transpose`, and its derivatives."""

    op = staticmethod(_upconv)

    def versions(self) -> dict[str, str]:
        return {"upconv": upconv.__version__, "jax": jax.__version__}


class JaxOnNumPy(OwnJax):
    """The same on NumPy arrays, to a NumPy array, with what the way there and back costs."""

    def prepare(self, task: Task) -> Call:
        run = self.compiled(task)
        operands = task.values()
        return lambda: np.asarray(run(*operands))
