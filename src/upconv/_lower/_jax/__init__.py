"""JAX. A new array goes where the others are; naming a device would pin it, and a traced array has none to name."""

import jax.numpy as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._jax import lhs_dilation, native, overlap_add

__all__ = ["LOWERINGS"]

LOWERINGS: dict[str, Lowering] = {
    "overlap_add": overlap_add,
    "native": native,
    "lhs_dilation": lhs_dilation,
    "generic": Generic(xp),
}
