"""What the arrays of one call have in common: library, dtype, device. Every error about an array is raised here.

Only the class and the attributes of an array are looked at, never a value, so a traced array passes as an eager one.
"""

from __future__ import annotations

import sys
from operator import attrgetter

from upconv._advice import advice
from upconv._classes import is_masked
from upconv._libraries import LIBRARIES, Library, dtype_name, owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from upconv._route import Route

__all__ = [
    "REAL",
    "autocast",
    "autocasts",
    "common_library",
    "is_prepared",
    "like_the_result",
    "look",
    "no_autocast",
    "refuse_algorithm",
    "untraced",
]

# The real dtype of each complex one's precision.
REAL = {"complex64": "float32", "complex128": "float64", "clongdouble": "longdouble"}
# All that a call looks at in an array of NumPy itself; a subclass may have more.
_ARRAY = attrgetter("shape", "dtype")


def look(x: Any, weight: Any, bias: Any) -> tuple[Any, ...] | None:
    """Return what calls have in common that are checked and routed alike; None for arrays that may have more to check.

    Of a small call on NumPy or PyTorch, checks and routes would take most of the time.
    """
    kind, torch, numpy = type(x), sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None:
        if torch.compiler.is_compiling():
            return None
        if kind is torch.Tensor or kind is torch.nn.Parameter:
            found: tuple[Any, ...] | None = _torch_folder().signature(x, weight, bias)
            return found
    if numpy is not None and kind is numpy.ndarray and type(weight) is kind and (bias is None or type(bias) is kind):
        return _ARRAY(x), _ARRAY(weight), bias if bias is None else _ARRAY(bias)
    return None


_folder: Any = None


def _torch_folder() -> Any:
    """The folder of PyTorch's lowerings; kept, because an import statement takes half a microsecond of each call."""
    global _folder  # noqa: PLW0603
    if _folder is None:
        from upconv._lower import _torch

        _folder = _torch
    return _folder


def untraced(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what reads shapes alone, out of sight of `torch.jit.trace`.

    To that each size is a tensor, and each int made of one a constant of the graph, with a warning.
    """
    torch = sys.modules.get("torch")
    if torch is None or torch.compiler.is_compiling() or not torch.jit.is_tracing():
        return function(*arguments)
    with _torch_folder().at_rest():
        return function(*arguments)


def autocasts(x: Any) -> bool:
    """Whether `torch.autocast` is on where ``x`` lies: there, users mix dtypes, and PyTorch's own ops cast them."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(x, torch.Tensor):
        return False
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def autocast(*arrays: Any) -> tuple[Any, ...]:
    """Cast the arrays as autocast does for PyTorch's own convolutions: what is floating, except float64."""
    torch: Any = sys.modules.get("torch")
    if not autocasts(arrays[0]) or any(isinstance(a, torch.Tensor) and a.is_complex() for a in arrays):
        return arrays  # what is complex keeps its precision, and so does what is real beside it
    dtype = torch.get_autocast_dtype(arrays[0].device.type)

    def cast(array: Any) -> Any:
        if isinstance(array, torch.Tensor) and array.is_floating_point() and array.dtype != torch.float64:
            return array.to(dtype)
        return array

    return tuple(map(cast, arrays))


def no_autocast(x: Any) -> Any:
    """Return a context in which autocast leaves the lowering alone: that knows the precision to add in."""
    return sys.modules["torch"].autocast(x.device.type, enabled=False)


def common_library(x: Any, *others: tuple[str, Any], name: str = "x") -> Library:
    """Return the one library of ``x`` and the others, each with its name, or say which differs and how to mend it."""
    library = owner(x)
    if library is None:
        _refuse_owner(name, x)
    for called, array in others:
        if array is not None or called != "bias":
            _agree(library, x, called, array)
    if library.name in ("torch", "dask"):
        refuse = _refuse_sparse if library.name == "torch" else _refuse_masked
        for called, array in ((name, x), *others):
            if array is not None:
                refuse(called, array)
    dtype = dtype_name(library, x.dtype)
    if dtype not in library.dtypes:
        raise TypeError(
            f"`{name}` has dtype {dtype}; {library.name} arrays must have one of {', '.join(library.dtypes)}; "
            f"convert it"
        )
    return library


def like_the_result(y: Any, cotangent: Any) -> None:
    """Check that a cotangent could be the result itself."""
    untraced(_like_the_result, y, cotangent)


def _like_the_result(y: Any, cotangent: Any) -> None:
    library = owner(y)
    if library is not None:
        _agree(library, y, "cotangent", cotangent, "the result")
    if tuple(cotangent.shape) != tuple(y.shape):
        raise ValueError(
            f"`cotangent` must have the shape of the result, {tuple(y.shape)}, got {tuple(cotangent.shape)}"
        )


def refuse_algorithm(library: Library, algorithm: Any, found: Route) -> NoReturn:
    """Say why the algorithm asked for cannot run, or which there are."""
    if found.refusals:
        last = found.refusals[-1]
        fix = "; use 'auto' or 'generic'" if algorithm not in ("auto", "generic") else ""
        raise ValueError(f"`algorithm` {algorithm!r}: {last}{fix}")
    words = ", ".join(map(repr, ("auto", *library.algorithms)))
    raise ValueError(f"`algorithm` must be one of {words} on {library.name}, got {algorithm!r}")


def _agree(library: Library, x: Any, name: str, array: Any, against: str = "`x`") -> None:
    theirs = library if type(array) is type(x) else owner(array)
    # A prepared weight is no array, but knows whose it is.
    if theirs is not library and not _prepared_for(library, name, array):
        if theirs is None:
            _refuse_owner(name, array)
        raise TypeError(
            f"{against} is an array of {library.name} and `{name}` one of {theirs.name}; convert one of them: "
            f"nothing is copied between libraries unasked"
        )
    if array.dtype != x.dtype:
        ours, other = dtype_name(library, x.dtype), dtype_name(library, array.dtype)
        if ours != other:
            beside = next((f": beside {c}, {c} or {REAL[c]}" for c in (ours, other) if c in REAL), "")
            raise TypeError(f"{against} has dtype {ours} and `{name}` has {other}; convert one of them{beside}")
    here, there = _device(library, x), _device(library, array)
    if here != there and here is not None and there is not None:
        raise ValueError(f"{against} is on device {here} and `{name}` on {there}; move one of them")


def is_prepared(array: Any) -> bool:
    """Whether it is a weight that `prepare` laid out, which CuPy's arrays alone have: its class says so."""
    cupy = sys.modules.get("upconv._lower._cupy._weights")
    return cupy is not None and type(array) is cupy.PreparedWeight


def _prepared_for(library: Library, name: str, array: Any) -> bool:
    if name != "weight" or not is_prepared(array):
        return False
    if library.name != "cupy":
        raise TypeError(f"`weight` was prepared for cupy, and `x` is an array of {library.name}; pass the array itself")
    return True


def _device(library: Library, array: Any) -> Any:
    if library.name == "jax":
        # An array that is not committed goes wherever the others are, and a traced one has no device yet.
        tracer = sys.modules["jax"].core.Tracer
        return None if isinstance(array, tracer) or not array.committed else array.sharding.device_set
    if library.name == "tensorflow" and not sys.modules["tensorflow"].executing_eagerly():
        return None  # a graph is placed when it runs
    return array.ctx if library.name == "mxnet" else getattr(array, "device", None)


def _refuse_sparse(name: str, array: Any) -> None:
    if array.is_nested:
        raise TypeError(
            f"`{name}` must be dense, got a nested tensor; pad it by torch.nested.to_padded_tensor(..., 0.0), or call "
            f"for each tensor of its .unbind()"
        )
    if array.layout is not sys.modules["torch"].strided:
        raise TypeError(f"`{name}` must be dense, got layout {array.layout}; call .to_dense()")


def _refuse_masked(name: str, array: Any) -> None:
    if is_masked(array._meta):  # noqa: SLF001  Dask has no public word for what its chunks are
        raise TypeError(f"`{name}` is made of masked arrays; fill it by dask.array.ma.filled(...)")


def _refuse_owner(name: str, array: Any) -> NoReturn:
    names = ", ".join(library.name for library in LIBRARIES)
    raise TypeError(f"`{name}` must be an array of one of {names}, got {type(array).__name__}; {advice(array)}")
