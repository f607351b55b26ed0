"""Two times below which a layer cannot be computed: by a bare matrix product, and by moving its bytes once."""

from __future__ import annotations

from upconv._bench.layers import Layer

__all__ = ["COPIED", "copy_bytes_per_s", "limits"]

COPIED = 256 << 20  # bytes of the array that is copied: more than the caches of most machines


def copy_bytes_per_s(seconds: float) -> float:
    """Bytes read and written, where copying takes so long."""
    return 2 * COPIED / seconds


def limits(layer: Layer, dtype: str, matmul_s: float | None, bytes_per_s: float) -> dict[str, float]:
    """Seconds of both limits. A layer that fits into a cache may be faster than its bytes at memory's speed."""
    arithmetic = {} if matmul_s is None else {"arithmetic": matmul_s}
    return arithmetic | {"bytes": layer.bytes(dtype) / bytes_per_s}
