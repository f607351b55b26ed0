"""Dask arrays."""

from typing import Any

import dask.array as da
import numpy as np
from array_api_compat.dask import array as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic

__all__ = ["LOWERINGS"]


def _join(re: Any, im: Any, dtype: Any) -> Any:
    """Make a complex array of two real ones, chunk by chunk."""
    return da.core.elemwise(_join_chunks, re, im, dtype=dtype)


def _join_chunks(re: Any, im: Any) -> Any:
    y = np.empty_like(re, dtype=np.result_type(re.dtype, np.complex64))
    y.real, y.imag = re, im
    return y


LOWERINGS: dict[str, Lowering] = {"generic": Generic(xp, join=_join)}
