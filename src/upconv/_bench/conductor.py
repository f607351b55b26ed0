"""Who is measured when: contenders take turns, round after round, and one process runs at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from upconv._bench.agreement import difference, tolerance
from upconv._bench.limits import copy_bytes_per_s, limits
from upconv._bench.task import Task
from upconv._bench.team import Team

__all__ = ["Pace", "copy_speed", "measure", "memories"]

Note = Callable[[str], None]


class Pace(NamedTuple):
    """How much time is spent on a contender in a row."""

    rounds: int = 7
    seconds: float = 0.1  # of a round
    most: float = 3.0  # then a slow contender has had its rounds


def measure(team: Team, names: Iterable[str], task: Task, pace: Pace, bandwidth: float, note: Note) -> dict[str, Any]:
    """Measure one row: check every result, then time those that are right, in turns."""
    found: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        saved = {name: str(Path(folder) / f"{name}.npy") for name in (*names, "matmul")}
        for name, path in saved.items():
            note(f"{name}, prepared")
            found[name] = team.ask(name, "prepare", task=task.json(), save=path)
        able = [name for name in saved if "unable" not in found[name]]
        if "upconv" in able:
            for name in able:
                if name not in ("upconv", "matmul"):
                    _judge(found[name], difference(saved[name], saved["upconv"]), tolerance(task.dtype))
    able = [name for name in able if "unable" not in found[name] and not found[name].get("wrong")]
    times = _take_turns(team, able, pace, note)
    for name in able:
        found[name] |= _statistics(times[name])
    matmul = found.pop("matmul")
    row: dict[str, Any] = {"library": team.library, "layer": task.layer.name, "dtype": task.dtype, "verb": task.verb}
    row |= {"algorithm": task.algorithm, "contenders": found}
    return row | {"limits": limits(task.layer, task.dtype, matmul.get("seconds"), bandwidth)}


def _judge(found: dict[str, Any], apart: float, allowed: float) -> None:
    found["difference"] = apart
    if not apart <= allowed:  # NaN is no agreement
        found["wrong"] = f"differs from upconv by {apart:.1g} of the largest value"


def _take_turns(team: Team, names: list[str], pace: Pace, note: Note) -> dict[str, list[float]]:
    """Seconds of each contender's rounds; each round begins with another of them."""
    times: dict[str, list[float]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    for turn in range(pace.rounds):
        first = turn % max(1, len(names))
        for name in names[first:] + names[:first]:
            if spent[name] >= pace.most:
                continue
            note(f"{name}, round {turn + 1} of {pace.rounds}")
            answer = team.ask(name, "time", seconds=pace.seconds)
            if "unable" in answer:
                spent[name] = pace.most
                continue
            times[name].append(answer["seconds"])
            spent[name] += max(pace.seconds, answer["seconds"])
    return times


def _statistics(rounds: list[float]) -> dict[str, Any]:
    if not rounds:
        return {"unable": "was lost while it was timed"}
    low, _, high = quantiles(rounds, n=4, method="inclusive") if len(rounds) > 1 else rounds * 3
    return {"seconds": median(rounds), "quartiles": [low, high], "rounds": rounds}


def memories(team: Team, row: dict[str, Any], task: Task, note: Note) -> None:
    """Add the peak memory of every contender that was timed to its row."""
    for name, found in row["contenders"].items():
        if "rounds" in found:
            note(f"{name}, memory")
            answer = team.ask(name, "memory", task=task.json())
            found["memory"] = answer.get("bytes")
            if "unable" in answer:
                found["memory_unable"] = answer["unable"]


def copy_speed(team: Team, task: Task, pace: Pace) -> float:
    """Bytes per second of a copy."""
    with TemporaryDirectory() as folder:
        answer = team.ask("copy", "prepare", task=task.json(), save=str(Path(folder) / "copy.npy"))
    seconds = [team.ask("copy", "time", seconds=pace.seconds)["seconds"] for _ in range(pace.rounds)] if answer else []
    team.dismiss("copy")
    return copy_bytes_per_s(median(seconds))
