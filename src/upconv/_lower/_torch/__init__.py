"""PyTorch."""

from array_api_compat import torch as xp

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._torch import native

__all__ = ["LOWERINGS"]

LOWERINGS: dict[str, Lowering] = {"native": native, "generic": Generic(xp, device=lambda array: array.device)}
