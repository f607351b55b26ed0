"""What is taken for the array that it holds: variables of frameworks, and NumPy's subclasses.

A class is asked, never an attribute, which any object may have. Nothing is imported: whose instance is here has its
module loaded.
"""

from __future__ import annotations

import sys

from upconv._libraries import owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["plain"]


def _keras(variable: Any) -> Any:
    return variable.value  # the backend's own variable, or what a stateless scope has in its place


def _nnx(variable: Any) -> Any:
    return variable[...]  # whose `value` warns since Flax 0.12


def _gluon(parameter: Any) -> Any:
    data = parameter.data()
    return data.as_np_ndarray()  # itself, where MXNet's NumPy interface is on


# The module in which a class is found, its name there, and how to read what it holds inside the framework's autodiff.
HOLDERS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("keras", "Variable", _keras),
    ("flax.nnx", "Variable", _nnx),
    ("mxnet.gluon", "Parameter", _gluon),
)


def plain(*arrays: Any) -> tuple[Any, ...]:
    """Return each operand as the array that it is: what is read of it afterwards, its shape too, is the array's own.

    A subclass of NumPy's may tell another shape than its memory has. One that answers for itself where NumPy's
    functions are called stays as it is, to be refused.
    """
    return tuple([_plain(array) for array in arrays])


def _plain(array: Any) -> Any:
    library = owner(array)
    if library is None:
        return _held(array)
    if library.name == "numpy":
        base = sys.modules["numpy"].ndarray
        return array if type(array) is base else base.view(array, base)
    return array


def _held(array: Any) -> Any:
    for module, name, read in HOLDERS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(array, kind):
            return read(array)
    return array
