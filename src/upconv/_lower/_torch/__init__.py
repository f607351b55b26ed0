"""PyTorch."""

from upconv._lower._contract import Lowering
from upconv._lower._generic import Generic
from upconv._lower._torch import _namespace, direct, native, overlap_add
from upconv._lower._torch._watch import at_rest, signature

__all__ = ["LOWERINGS", "at_rest", "signature"]

LOWERINGS: dict[str, Lowering] = {
    "direct": direct,
    "overlap_add": overlap_add,
    "native": native,
    "generic": Generic(_namespace, device=lambda array: array.device, join=_namespace.join),
}
