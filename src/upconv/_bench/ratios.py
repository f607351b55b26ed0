"""What the medians say: the best other library, how many times as fast upconv is, and how far from the limits."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log
from typing import Any

__all__ = ["MEMORY_BOUND", "complete", "geometric_mean", "group", "restlessness", "summary"]

# What upconv promises to allocate at most, beyond operands and result.
MEMORY_BOUND = 32 << 20

Row = dict[str, Any]


def complete(row: Row) -> Row:
    """Add the ratios to a row of medians; None where one of the two is missing."""
    seconds = {name: found["seconds"] for name, found in row["contenders"].items() if "rounds" in found}
    ours = seconds.pop("upconv", None)
    best = min(seconds, key=seconds.__getitem__) if seconds else None
    return row | {
        "best": best,
        "speed": seconds[best] / ours if best and ours else None,
        "over_limit": ours / max(row["limits"].values()) if ours else None,
    }


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios: that of the inverse ratios is its inverse."""
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs))


def restlessness(row: Row) -> float:
    """How far apart the quartiles are that decide the speed, relative to their median."""
    decide = (row["contenders"].get(name, {}) for name in ("upconv", row["best"]))
    spreads = [(q["quartiles"][1] - q["quartiles"][0]) / q["seconds"] for q in decide if "quartiles" in q]
    return max(spreads, default=0.0)


def group(rows: Iterable[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Rows by library, dtype and verb."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["library"], row["dtype"], row["verb"]), []).append(row)
    return groups


def summary(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """By library, dtype and verb: means, the slowest layer, and the layers that take more memory than is promised."""
    return [
        dict(zip(("library", "dtype", "verb"), key, strict=True))
        | {f"{name}_{word}": value for name in ("speed", "over_limit") for word, value in _extremes(found, name)}
        | {"beyond_memory": [row["layer"] for row in found if _memory(row) > MEMORY_BOUND]}
        for key, found in group(rows).items()
    ]


def _extremes(rows: list[Row], name: str) -> Iterable[tuple[str, Any]]:
    """Mean, worst and its layer of those rows that have the ratio. Slow is a small speed, and far over the limit."""
    rows = [row for row in rows if row[name]]
    yield "layers", len(rows)
    if rows:
        yield "mean", geometric_mean(row[name] for row in rows)
        worst = (min if name == "speed" else max)(rows, key=lambda row: row[name])
        yield "worst", worst[name]
        yield "worst_layer", worst["layer"]


def _memory(row: Row) -> float:
    return row["contenders"].get("upconv", {}).get("memory") or 0
