"""Dask arrays."""

from array_api_compat.dask import array as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic

__all__ = ["LOWERINGS"]

LOWERINGS: dict[str, Lowering] = {"generic": Generic(xp)}
