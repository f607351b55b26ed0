"""JAX."""

from typing import Any

import jax
import jax.numpy as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._jax import lhs_dilation, native, overlap_add, sub_pixel

__all__ = ["LOWERINGS"]


def _device(array: Any) -> Any:
    """The device that an array is committed to: what is not goes where the others are, and so does what is traced."""
    if isinstance(array, jax.core.Tracer) or not array.committed or len(array.sharding.device_set) > 1:
        return None
    (device,) = array.sharding.device_set
    return device


LOWERINGS: dict[str, Lowering] = {
    "overlap_add": overlap_add,
    "sub_pixel": sub_pixel,
    "native": native,
    "lhs_dilation": lhs_dilation,
    "generic": Generic(xp, device=_device),
}
