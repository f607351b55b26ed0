"""``python -m upconv check``: every library and algorithm installed here against the reference."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from rich.progress import Progress

from upconv._cli.arrays import Arrays
from upconv._cli.cases import random_case
from upconv._cli.libraries import Unavailable, load
from upconv._cli.report import Report, ulp
from upconv._cli.trial import NotTaken, Trial
from upconv._libraries import LIBRARIES, Library

__all__ = ["Tally", "run"]

# Of each library: so many geometries, fewer where its time is up, but never fewer than the least. JAX compiles two or
# three programs a second.
MOST, LEAST, SECONDS = 300, 20, 4.0
LEGEND = "ulp: the largest error, in units in the last place of |x| * |w| + |b|."


@dataclass
class Tally:
    """What became of the cases of one algorithm."""

    cases: int = 0
    not_taken: int = 0
    wrong: int = 0
    largest: float = 0.0
    first: str = ""

    def add(self, trial: Trial, algorithm: str) -> None:
        """Count one more case, and keep the first that is wrong."""
        try:
            self.largest = max(self.largest, trial.run(algorithm))
        except NotTaken:
            self.not_taken += 1
            return
        except Exception as error:  # noqa: BLE001  whatever a library raises is a finding
            self.wrong += 1
            script = trial.case.script(trial.library.name, algorithm)
            self.first = self.first or f"{type(error).__name__}: {error}\n\n{script}"
        self.cases += 1

    def fault(self, name: str) -> str:
        """Say how many are wrong, or nothing."""
        return f"{name}: {self.wrong} of {self.cases} wrong, the first: {self.first}" if self.wrong else ""


def run(arguments: Namespace) -> int:
    """Print a row for each algorithm, then the first wrong case of each; return 1 if there is any."""
    report = Report(
        "Every algorithm against a float64 reference",
        ("version", "algorithm"),
        ("cases", "not taken", "largest error"),
    )
    with Progress(console=report.console, transient=True) as progress:
        for library in LIBRARIES:
            try:
                arrays = load(library.name)
            except Unavailable as why:
                report.miss(library.name, why)
                continue
            for algorithm, tally in _tallies(library, arrays, progress).items():
                largest = "" if tally.wrong else ulp(tally.largest)
                cells = (arrays.version, algorithm, str(tally.cases), str(tally.not_taken), largest)
                report.add(library.name, *cells, fault=tally.fault(f"{library.name}, {algorithm}"))
    report.print(LEGEND)
    return 1 if report.faults else 0


def _tallies(library: Library, arrays: Arrays, progress: Progress) -> dict[str, Tally]:
    """Run every algorithm of a library on the same cases."""
    tallies = {algorithm: Tally() for algorithm in library.algorithms}
    dtypes = tuple(filter(arrays.makes, library.dtypes))
    task = progress.add_task(f"{library.name} {arrays.version}", total=MOST)
    with arrays.settings():
        for seed in _seeds():
            trial = Trial(random_case(seed, dtypes), library, arrays)
            for algorithm, tally in tallies.items():
                tally.add(trial, algorithm)
            progress.update(task, completed=seed + 1)
    progress.update(task, total=seed + 1)
    return tallies


def _seeds() -> Iterator[int]:
    end = perf_counter() + SECONDS
    for seed in range(MOST):
        if seed >= LEAST and perf_counter() > end:
            return
        yield seed
