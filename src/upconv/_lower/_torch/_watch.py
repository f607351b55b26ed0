"""Whether anything looks on: the one place that decides when the memory of tensors may be touched.

PyTorch keeps what intercepts an op in three places: dispatch keys of the thread (dispatch modes, `torch.func`'s
transforms, functionalization, `torch.jit.trace`, the legacy vmap), dispatch keys of each tensor (functional, batched,
zero and sparse tensors), and the stack of torch-function modes. A computation on raw memory is invisible to all of
them: a graph that `make_fx` traces would hold the empty result and nothing that fills it. So these functions list the
few keys of a plain call, and whatever is not in the list counts as looking on, which includes modes of later versions.
"""

from __future__ import annotations

from functools import reduce
from operator import attrgetter, or_
from typing import Any

import torch

from upconv._lower._torch._openmp import is_here

__all__ = ["at_rest", "is_plain", "is_watched", "signature"]

_C = torch._C  # noqa: SLF001  PyTorch says none of this in public
_include = _C._dispatch_tls_local_include_set  # noqa: SLF001
_keys = _C._dispatch_keys  # noqa: SLF001
_functions = _C._len_torch_function_stack  # noqa: SLF001
_autocasts = _C._is_any_autocast_enabled  # noqa: SLF001


def _all_but(*names: str) -> int:
    """The bits of all dispatch keys but these."""
    return ~int(reduce(or_, [_C.DispatchKeySet(getattr(_C.DispatchKey, name)) for name in names]).raw_repr())


# Which keys a thread has of itself, and which a dense tensor on a CPU; its sign may be pending, and is resolved.
_OF_A_MODE = _all_but("BackendSelect", "ADInplaceOrView")
_OF_A_WRAPPER = _all_but("CPU", "AutogradCPU", "AutocastCPU", "ADInplaceOrView", "Negative")
_OWN = (torch.Tensor, torch.nn.Parameter)
_of = attrgetter("shape", "dtype", "device", "layout")


def is_watched() -> bool:
    """Whether a compiler, a mode, a tracer, a transform or forward-mode differentiation looks on at all ops."""
    return (
        torch.compiler.is_compiling()
        or bool(_include().raw_repr() & _OF_A_MODE)
        or _functions() > 0
        or torch.autograd.forward_ad._current_level >= 0  # noqa: SLF001  it is no dispatch key
    )


def is_plain(*tensors: Any) -> bool:
    """Whether nothing looks on, and each tensor (None aside) is dense memory of a CPU that no subclass wraps."""
    return not is_watched() and all(tensor is None or _is_memory(tensor) for tensor in tensors)


def _is_memory(tensor: Any) -> bool:
    if type(tensor) not in _OWN or _keys(tensor).raw_repr() & _OF_A_WRAPPER:
        return False
    # FSDP and others free a parameter by resizing its storage: the tensor then still tells the address that it had.
    last = sum([(n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True)])
    end = (tensor.storage_offset() + last + 1) * tensor.itemsize
    return bool(end <= tensor.untyped_storage().nbytes())


def signature(x: Any, weight: Any, bias: Any) -> tuple[Any, ...] | None:
    """All that checks and routes read of a call where nothing looks on, hashable; None where something may.

    Which algorithm is fast depends on PyTorch's threads: their number, and whether this process has its OpenMP team.
    """
    if type(weight) not in _OWN or not (bias is None or type(bias) in _OWN) or _autocasts() or is_watched():
        return None
    try:
        return _of(x), _of(weight), None if bias is None else _of(bias), torch.get_num_threads(), is_here()
    except RuntimeError:  # of a nested tensor, which has no shape
        return None


class at_rest:  # noqa: N801  it stands in a `with`, as a function would
    """No `torch.jit.trace` for the time of a block, in which shapes are plain ints and reading one is no step."""

    def __enter__(self) -> None:
        self.state = _C._get_tracing_state()  # noqa: SLF001
        if self.state is not None:
            _C._set_tracing_state(None)  # noqa: SLF001

    def __exit__(self, *_: object) -> None:
        if self.state is not None:
            _C._set_tracing_state(self.state)  # noqa: SLF001
