"""array-api-strict: the standard and nothing else."""

import array_api_strict as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic

__all__ = ["LOWERINGS"]

LOWERINGS: dict[str, Lowering] = {"generic": Generic(xp, device=lambda array: array.device)}
