"""TensorFlow."""

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._tensorflow import _namespace as xp
from upconv._lower._tensorflow import native

__all__ = ["LOWERINGS"]

LOWERINGS: dict[str, Lowering] = {"native": native, "generic": Generic(xp, shape=xp.shape, join=xp.join)}
