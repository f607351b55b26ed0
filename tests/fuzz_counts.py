"""What the calls of test_fuzz.py came to: counted in each batch, added up, and written where readers find it."""

import json
import time
from collections import Counter
from pathlib import Path

from fuzz import Refused

DOCS = Path(__file__).parent.parent / "docs"
VERBS = ("conv_transpose", "conv", "conv_weight")
BEGIN, END = "<!-- written by `nox -s fuzz` -->", "<!-- end of what `nox -s fuzz` writes -->"


class Tally:
    """By algorithm, verb and dtype, how many calls ran and were refused; the largest error, in parts of its bound."""

    def __init__(self):
        self.calls, self.outcomes, self.largest, self.failed = 0, Counter(), Counter(), []

    def add(self, call, algorithm, trial):
        """Run, count, and raise what is wrong. What shrinks a failure is not counted."""
        try:
            error = trial.run(algorithm)
        except Refused:
            assert algorithm != "generic", "the generic algorithm takes everything"
            outcome = "refused"
        except Exception:
            self.failed.append(f"{algorithm} {call.verb} {call.dtype}")
            raise
        else:
            outcome = "ran"
            rounded = not call.exact and "int" not in call.dtype
            self.largest[algorithm] = max(self.largest[algorithm], error if rounded else 0)
        if not self.failed:
            self.outcomes[f"{algorithm} {call.verb} {call.dtype} {outcome}"] += 1

    def update(self, other):
        """Add another, as JSON."""
        calls, outcomes, largest, failed = json.loads(other)
        self.calls += calls
        self.outcomes.update(outcomes)
        self.largest |= largest
        self.failed += failed[:1]

    def as_json(self):
        return json.dumps([self.calls, self.outcomes, self.largest, self.failed])


class Counts:
    """A plugin of pytest: with pytest-xdist, the reports of all workers reach it."""

    def __init__(self, library, seed):
        self.library, self.seed, self.tally, self.began = library, seed, Tally(), time.monotonic()

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            for name, found in report.user_properties:
                if name == "fuzz":
                    self.tally.update(found)

    def pytest_terminal_summary(self, terminalreporter):
        tally, path = self.tally, DOCS / "fuzz.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        found[self.library] = {
            "version": version(self.library),
            "date": time.strftime("%Y-%m-%d"),
            "seed": self.seed,
            "minutes": round((time.monotonic() - self.began) / 60, 1),
            "calls": tally.calls,
            "failed": sorted(tally.failed),
            "largest": {name: round(error, 3) for name, error in sorted(tally.largest.items())},
            "outcomes": dict(sorted(tally.outcomes.items())),
        }
        path.write_text(json.dumps(found, indent=1) + "\n")
        insert(DOCS / "reliability.md", table(found))
        ran = sum(n for name, n in tally.outcomes.items() if name.endswith("ran"))
        what = f"{ran} cases in {tally.calls} calls, {len(tally.failed)} failed, seed {self.seed}"
        terminalreporter.write_line(f"fuzz, {self.library}: {what}; written to docs/fuzz.json and docs/reliability.md")


def version(library):
    import upconv
    from libraries import variants

    array = variants(library)[0].make(__import__("numpy").ones((1, 1, 1), "float32"))
    return upconv.explain(array, array).version


def insert(path, text):
    """Put text between the two lines that mark its place."""
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def table(found):
    """Markdown: a row for each algorithm, and the sums."""
    head = ("library", "algorithm", *(f"`{verb}`" for verb in VERBS), "refused", "failed", "dtypes", "largest error")
    rows, totals = [], Counter()
    for library, run in found.items():
        for algorithm, of in by_algorithm(run["outcomes"]).items():
            ran = [of[verb, "ran"] for verb in VERBS]
            failed = sum(name.startswith(f"{algorithm} ") for name in run["failed"])
            refused = sum(of[verb, "refused"] for verb in VERBS)
            totals.update(ran=sum(ran), refused=refused, failed=failed)
            cells = (f"{library} {run['version']}", f"`{algorithm}`", *ran, refused, failed, len(of["dtypes"]))
            rows.append((*cells, f"{run['largest'].get(algorithm, 0):.2f}"))
    calls, minutes = (sum(run[name] for run in found.values()) for name in ("calls", "minutes"))
    seeds = ", ".join(f"{library} {run['seed']}" for library, run in found.items())
    lines = (
        f"**{totals['ran']:,} cases, {totals['failed']} failed**, of {calls:,} calls drawn; {totals['refused']:,} more",
        f"were refused by an algorithm that is not for them. {max(run['date'] for run in found.values())},",
        f"{minutes:.0f} minutes; seeds: {seeds}.",
        "",
        *("| " + " | ".join(map(str, row)) + " |" for row in (head, ("---",) * len(head), *rows)),
    )
    return "\n".join(lines)


def by_algorithm(outcomes):
    """For each algorithm, the sums over dtypes, and which dtypes ran."""
    found = {}
    for name, n in outcomes.items():
        algorithm, verb, dtype, outcome = name.split()
        of = found.setdefault(algorithm, Counter())
        of[verb, outcome] += n
        of["dtypes"] = (of["dtypes"] or set()) | ({dtype} if outcome == "ran" else set())
    return found
