"""JAX."""

from typing import Any

import jax
import jax.numpy as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._jax import lhs_dilation, native, overlap_add, sub_pixel
from upconv._lower._jax._explicit import in_auto_axes

__all__ = ["LOWERINGS"]


def _device(array: Any) -> Any:
    """The device that an array is committed to: what is not goes where the others are, and so does what is traced."""
    if isinstance(array, jax.core.Tracer) or not array.committed or len(array.sharding.device_set) > 1:
        return None
    (device,) = array.sharding.device_set
    return device


def _join(re: Any, im: Any, dtype: Any) -> Any:
    return jax.lax.complex(re, im)


class _Generic(Generic):
    """The generic lowering, on meshes with Explicit axes too."""

    def __init__(self) -> None:
        super().__init__(xp, device=_device, join=_join)
        for verb in ("conv_transpose", "conv", "conv_weight", "conv_bias", "matrix"):
            setattr(self, verb, in_auto_axes(getattr(self, verb)))


LOWERINGS: dict[str, Lowering] = {
    "overlap_add": overlap_add,
    "sub_pixel": sub_pixel,
    "native": native,
    "lhs_dilation": lhs_dilation,
    "generic": _Generic(),
}
