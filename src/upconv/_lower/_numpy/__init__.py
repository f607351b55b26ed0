"""NumPy."""

from typing import Any

from array_api_compat import numpy as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._numpy import direct, fft, loops, overlap_add, sub_pixel

__all__ = ["LOWERINGS"]


def _join(re: Any, im: Any, dtype: Any) -> Any:
    y = xp.empty_like(re, dtype=dtype)
    y.real, y.imag = re, im
    return y


LOWERINGS: dict[str, Lowering] = {
    "loops": loops,
    "direct": direct,
    "sub_pixel": sub_pixel,
    "overlap_add": overlap_add,
    "fft": fft,
    "generic": Generic(xp, join=_join),
}
