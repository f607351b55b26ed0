"""``python -m upconv check``: every library and algorithm installed here against the reference."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter

from rich.progress import Progress

from upconv._cli import CommandError
from upconv._cli.arrays import Arrays
from upconv._cli.cases import DTYPES, random_case
from upconv._cli.present import present
from upconv._cli.report import Report, ulp
from upconv._cli.trial import NotTaken, Trial
from upconv._libraries import Library

__all__ = ["Tally", "run"]

# Of each library: so many geometries, fewer where its time is up, but never fewer than the least. JAX compiles two or
# three programs a second.
MOST, LEAST, SECONDS = 300, 20, 4.0
LEGEND = (
    "ulp: the largest error, in units in the last place of |x| * |w| + |b|. Cases are calls of conv_transpose, "
    "of one to three axes, in {}; other verbs and dtypes, and gradients, were not run."
)


@dataclass
class Tally:
    """What became of the cases of one algorithm."""

    cases: int = 0
    wrong: int = 0
    largest: float = 0.0
    first: str = ""
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, trial: Trial, algorithm: str) -> None:
        """Count one more case, and keep the first that is wrong."""
        try:
            self.largest = max(self.largest, trial.run(algorithm))
        except NotTaken as refusal:
            self.refusals[str(refusal)] += 1
            return
        except Exception as error:  # noqa: BLE001  whatever a library raises is a finding
            self.wrong += 1
            script = trial.case.script(trial.library.name, algorithm)
            self.first = self.first or f"{type(error).__name__}: {error}\n\n{script}"
        self.cases += 1

    def fault(self, name: str) -> str:
        """Say how many are wrong, or nothing."""
        return f"{name}: {self.wrong} of {self.cases} wrong, the first: {self.first}" if self.wrong else ""

    def why_not(self, name: str) -> str:
        """Say why no case was run: the refusal that came up most."""
        ((refusal, times),) = self.refusals.most_common(1)
        total = self.refusals.total()
        often = "" if times == total else f" (in {times} of {total} cases; in the others for other reasons)"
        return f"{name}: not run, because it does not take {refusal}{often}"


def run(arguments: Namespace) -> int:
    """Print a row for each algorithm, then the first wrong case of each; return 1 if there is any."""
    report = Report(
        "Every algorithm against a float64 reference",
        ("version", "algorithm"),
        ("cases", "not taken", "largest error"),
    )
    drawn: set[str] = set()
    with Progress(console=report.console, transient=True) as progress:
        for library, arrays in present(report):
            dtypes = tuple(filter(arrays.makes, library.dtypes))
            drawn |= set(DTYPES) & set(dtypes)
            for algorithm, tally in _tallies(library, arrays, dtypes, progress).items():
                _add(report, f"{library.name}, {algorithm}", (library.name, arrays.version, algorithm), tally)
    report.print(LEGEND.format(", ".join(dtype for dtype in dict.fromkeys(DTYPES) if dtype in drawn)))
    if not report.compared:
        raise CommandError("nothing was checked: no library that can be used here ran a case")
    return 1 if report.faults else 0


def _add(report: Report, name: str, row: tuple[str, ...], tally: Tally) -> None:
    refused = str(tally.refusals.total())
    if tally.cases:
        largest = "" if tally.wrong else ulp(tally.largest)
        report.add(*row, str(tally.cases), refused, largest, fault=tally.fault(name))
    else:
        report.skip(*row, "0", refused, verdict="not run", why=tally.why_not(name))


def _tallies(library: Library, arrays: Arrays, dtypes: tuple[str, ...], progress: Progress) -> dict[str, Tally]:
    """Run every algorithm of a library on the same cases."""
    tallies = {algorithm: Tally() for algorithm in library.algorithms}
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
