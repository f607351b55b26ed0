"""array-api-strict: the standard and nothing else."""

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._strict import _namespace as xp

__all__ = ["LOWERINGS"]

LOWERINGS: dict[str, Lowering] = {"generic": Generic(xp, device=lambda array: array.device, join=xp.join)}
