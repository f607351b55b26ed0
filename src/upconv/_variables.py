"""What is taken for the array that it holds: variables of frameworks, and subclasses that may tell another shape.

A class is asked, never an attribute, which any object may have. Nothing is imported: whose instance is here has its
module loaded.
"""

from __future__ import annotations

import sys

from upconv._libraries import owner, remembers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["plain"]


# What a subclass of another library's array may tell otherwise than the memory that it stands for.
TOLD = ("shape", "dtype", "device", "ndim", "size", "dim", "stride", "ctx")


def _keras(variable: Any, _: Any) -> Any:
    return variable.value  # the backend's own variable, or what a stateless scope has in its place


def _read(variable: Any, _: Any) -> Any:
    return variable[...]  # nnx's `value` warns since Flax 0.12


def _boxed(box: Any, _: Any) -> Any:
    return box.unbox()  # with the sharding constraint that its names stand for


def _gluon(parameter: Any, beside: Any) -> Any:
    """Return the copy on the device of the array beside it, where there are copies on several."""
    here = getattr(beside, "ctx", None)
    data = parameter.data(here if here in parameter.list_ctx() else None)
    return data.as_np_ndarray()  # itself, where MXNet's NumPy interface is on


# The module in which a class is found, its name there, and how to read what it holds inside the framework's autodiff.
HOLDERS: tuple[tuple[str, str, Callable[[Any, Any], Any]], ...] = (
    ("keras", "Variable", _keras),
    ("flax.nnx", "Variable", _read),
    ("flax.core.meta", "AxisMetadata", _boxed),
    ("jax.ref", "Ref", _read),
    ("mxnet.gluon", "Parameter", _gluon),
)


def plain(*arrays: Any) -> tuple[Any, ...]:
    """Return each operand as the array that it is: what is read of it afterwards, its shape too, is the array's own.

    A subclass may tell another shape than its memory has. One of NumPy's that answers for itself where NumPy's
    functions are called stays as it is, to be refused.
    """
    return tuple([_plain(array, arrays[0]) for array in arrays])


def _plain(array: Any, beside: Any) -> Any:
    library = owner(array)
    if library is None:
        return _held(array, beside)
    view = VIEWS.get(library.name)
    return array if view is None else view(array)


def _numpy(array: Any) -> Any:
    base = sys.modules["numpy"].ndarray
    return array if type(array) is base else base.view(array, base)


def _torch(tensor: Any) -> Any:
    """Only a class that answers for its shape is left: others, DTensor among them, go on answering for their ops."""
    torch = sys.modules["torch"]
    kind, base = type(tensor), torch.Tensor
    if (
        kind is base
        or not remembers()
        or not _tells(kind, base)
        or kind.__torch_dispatch__ is not base.__torch_dispatch__
    ):
        return tensor
    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        return tensor  # its shape raises, and says what to do
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001  its attributes would be asked
        return base.as_subclass(tensor, base)


def _mxnet(array: Any) -> Any:
    base = sys.modules["mxnet.numpy"].ndarray
    return base.as_nd_ndarray(array).as_np_ndarray() if _tells(type(array), base) else array


def _jax(array: Any) -> Any:
    """A traced reference is of the class of a traced array."""
    return array[...] if type(getattr(array, "aval", None)).__name__ == "AbstractRef" else array


VIEWS: dict[str, Callable[[Any], Any]] = {"numpy": _numpy, "torch": _torch, "mxnet": _mxnet, "jax": _jax}


def _tells(kind: type, base: type) -> bool:
    return any(getattr(kind, name, None) is not getattr(base, name, None) for name in TOLD)


def _held(array: Any, beside: Any) -> Any:
    for module, name, read in HOLDERS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(array, kind):
            return read(array, beside)
    return array
