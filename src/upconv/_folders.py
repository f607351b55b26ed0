"""The folder of each library's lowerings, imported when a call needs it.

A statement for each, because `torch.compile` traces no other import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from upconv._lower._contract import Lowering

__all__ = ["folder"]


def folder(name: str) -> Mapping[str, Lowering]:
    """Import a library's folder, and return its algorithms by name."""
    if name == "numpy":
        from upconv._lower import _numpy

        return _numpy.LOWERINGS
    if name == "torch":
        from upconv._lower import _torch

        return _torch.LOWERINGS
    if name == "jax":
        from upconv._lower import _jax

        return _jax.LOWERINGS
    if name == "tensorflow":
        from upconv._lower import _tensorflow

        return _tensorflow.LOWERINGS
    if name == "mxnet":
        from upconv._lower import _mxnet

        return _mxnet.LOWERINGS
    if name == "cupy":
        from upconv._lower import _cupy

        return _cupy.LOWERINGS
    if name == "dask":
        from upconv._lower import _dask

        return _dask.LOWERINGS
    from upconv._lower import _strict

    return _strict.LOWERINGS
