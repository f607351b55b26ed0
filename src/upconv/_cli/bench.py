"""``python -m upconv bench``: measure, save, print and draw."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import upconv
from upconv._bench.conductor import Pace, copy_speed, measure, memories
from upconv._bench.contenders import CONTENDERS, missing
from upconv._bench.layers import load
from upconv._bench.machine import cores, machine, today
from upconv._bench.memory import GIVE_BACK, KEEP
from upconv._bench.options import chosen
from upconv._bench.plot import draw
from upconv._bench.ratios import complete, summary
from upconv._bench.report import Report
from upconv._bench.task import Task
from upconv._bench.team import Team
from upconv._cli import CommandError

__all__ = ["run"]


def run(arguments: Namespace) -> int:
    """Return 1 if a result was wrong or upconv failed."""
    report = Report()
    results = _read(arguments) if arguments.show else _measure(arguments, report)
    if not results["rows"]:
        raise CommandError("nothing was measured")
    report.print(results)
    draw(results, arguments.plot)
    if not arguments.show:
        report.say(f"The results are in {arguments.out}.")
    report.say(f"The picture is {arguments.plot}.")
    faults = [found for row in results["rows"] for name, found in row["contenders"].items() if _failed(name, found)]
    return 1 if faults else 0


def _failed(name: str, found: dict[str, Any]) -> bool:
    return "wrong" in found or (name == "upconv" and "unable" in found)


def _read(arguments: Namespace) -> dict[str, Any]:
    """One set of results of several files; machine and date are those of the last."""
    results: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for path in arguments.show:
        try:
            results = json.loads(path.read_text())
            rows += results["rows"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(f"{path} has no results: {type(error).__name__}: {error}") from None
    return results | {"rows": rows, "summary": summary(rows)}


def _measure(arguments: Namespace, report: Report) -> dict[str, Any]:
    threads = arguments.threads or cores()
    if threads > cores():
        raise CommandError(f"--threads {threads} is more than the {cores()} cores that this process may use")
    if arguments.prepared and (chosen(arguments, "library"), chosen(arguments, "verb")) != (("numpy",), ("forward",)):
        raise CommandError("--prepared goes with --library numpy and --verb forward alone")
    results: dict[str, Any] = {"upconv": upconv.__version__, "date": today(), "machine": machine(threads)}
    results |= {"rounds": arguments.rounds, "seconds": arguments.seconds, "fresh": arguments.fresh}
    results["prepared"] = arguments.prepared
    results |= {"copy_bytes_per_s": {}, "versions": {}, "rows": []}
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
    # Drawn between the measurements, not during them: a thread that draws takes its time from a contender.
    progress = Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=report.console, auto_refresh=False, transient=True
    )
    libraries = [name for name in chosen(arguments, "library") if _present(name, report)]
    tasks = [
        Task(layer, verb, dtype, arguments.algorithm, arguments.prepared)
        for dtype in chosen(arguments, "dtype")
        for verb in chosen(arguments, "verb")
        for layer in load()
        if layer.name in chosen(arguments, "layer")
    ]
    try:
        with progress:
            bar = progress.add_task("", total=len(libraries) * len(tasks))
            for library in libraries:
                for row in _rows(library, tasks, arguments, results, partial(_note, progress, bar)):
                    results["rows"].append(row)
                    progress.advance(bar)
    finally:  # an interrupt leaves what was measured so far
        results["summary"] = summary(results["rows"])
        if results["rows"]:
            arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    return results


def _present(library: str, report: Report) -> bool:
    """Say what is not installed."""
    lacks = {name: missing(library, name) for name in CONTENDERS[library]}
    if lacks["upconv"]:
        report.say(f"{library} is left out (not installed: {lacks['upconv']})", style="yellow")
        return False
    for name, what in lacks.items():
        if what:
            report.say(f"{library} is measured without {name} (not installed: {what})", style="yellow")
    return True


def _rows(
    library: str, tasks: list[Task], arguments: Namespace, results: dict[str, Any], note: Callable[[str, str], None]
) -> Iterator[dict[str, Any]]:
    names = [name for name in CONTENDERS[library] if not missing(library, name)]
    pace = Pace(arguments.rounds, arguments.seconds)
    words = (library, arguments.threads or cores(), arguments.patience)
    with Team(*words, GIVE_BACK if arguments.fresh else KEEP) as team, Team(*words, GIVE_BACK) as apart:
        note(library, "a copy")
        bandwidth = results["copy_bytes_per_s"][library] = copy_speed(team, tasks[0], pace)
        for task in tasks:
            title = f"{library} {task.layer.name} {task.verb} {task.dtype}"
            row = measure(team, names, task, pace, bandwidth, partial(note, title))
            if arguments.memory:
                memories(apart, row, task, partial(note, title))
            results["versions"][library] = team.versions
            yield complete(row)


def _note(progress: Progress, bar: Any, title: str, text: str) -> None:
    progress.update(bar, description=f"{title}: {text}")
    progress.refresh()
