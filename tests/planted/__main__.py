"""Plant each fault in a copy of the package, alone, and run the tests that must see it: `python tests/planted`.

First those tests run on the copy as it is: of tests that fail anyway, nothing would be learnt.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS)]

from planted import FAULTS  # noqa: E402  the folder is none of an installed package

FAILED = 1  # how pytest ends where a test failed; otherwise it could not run, or had no test


class Copies:
    """Copies of what the tests run on, as many as run at a time."""

    def __init__(self, folder, number):
        self.free = Queue()
        for n in range(number):
            copy = Path(folder, str(n)).resolve()
            for name in ("src", "tests"):
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("conftest.py", "pyproject.toml"):
                shutil.copy(ROOT / name, copy / name)
            found = python(copy, "-c", "import upconv; print(upconv.__file__)").stdout
            assert found.startswith(str(copy)), f"the tests would run on another package: {found}"
            self.free.put(copy)

    @contextmanager
    def one(self):
        copy = self.free.get()
        try:
            yield copy
        finally:
            self.free.put(copy)

    def run(self, library, tests, fault=None):
        """How pytest ends on a copy, with the fault in it, and its first failure."""
        with self.one() as copy:
            if fault is None:
                return pytest(copy, library, tests)
            package = copy / "src" / "upconv"
            path = package / fault.file
            sound, broken = path.read_text(), fault.plant(package)
            # Python knows compiled files by size and second: those of two faults could be taken for each other.
            for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
                compiled.unlink()
            path.write_text(broken)
            try:
                with TemporaryDirectory() as folder:
                    # Numba looks at the file of a function, and not at those that it calls: it is to compile anew.
                    kept = {"NUMBA_CACHE_DIR": folder} if "_lower/_numpy/" in fault.file else {}
                    return pytest(copy, library, tests, PYTHONDONTWRITEBYTECODE="1", **kept)
            finally:
                path.write_text(sound)


def python(copy, *words, **env):
    """Run Python on the package of a copy."""
    env = os.environ | env | {"PYTHONPATH": str(copy / "src")}
    return subprocess.run([sys.executable, *words], cwd=copy, env=env, capture_output=True, text=True, check=False)


def pytest(copy, library, tests, **env):
    """Its exit status and the line that tells most."""
    words = [f"tests/{word}" if word.endswith(".py") else word for word in shlex.split(tests)]
    run = python(copy, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--library", library, *words, **env)
    lines = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return run.returncode, (lines or [*run.stdout.splitlines(), ""])[0].removeprefix("FAILED tests/")


def run_all(title, copies, pool, jobs, good):
    """Run jobs, each (name, library, tests, fault), and print how each ended; return the names that ended otherwise."""
    futures = {pool.submit(copies.run, *job[1:]): job for job in jobs}
    otherwise = []
    for n, future in enumerate(as_completed(futures), start=1):
        name, library, tests, _ = futures[future]
        status, line = future.result()
        word = {good: title}.get(status, f"NOT {title.upper()}")
        print(f"{n:3}/{len(jobs)}  {word:10}  {library:10}  {name}  [{line[:100]}]", flush=True)
        if status != good:
            otherwise.append(f"{library}: {name}: pytest {tests} ended with {status}")
    return otherwise


def main():
    """Run the faults of some libraries, those in whose name or file the words occur."""
    parser = argparse.ArgumentParser(prog="python tests/planted", description=__doc__)
    parser.add_argument("words", nargs="*", help="of the name or the file of a fault; none means all")
    parser.add_argument("--library", action="append", help="rows of the table of libraries; none means all")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    options = parser.parse_args()
    chosen = [
        fault
        for fault in FAULTS
        if (not options.library or fault.library in options.library)
        and (not options.words or any(word in f"{fault.file} {fault.breaks}" for word in options.words))
    ]
    sound = sorted({(fault.library, fault.tests) for fault in chosen})
    with TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies = Copies(folder, options.jobs)
        jobs = [(tests, library, tests, None) for library, tests in sound]
        failed = run_all("passes", copies, pool, jobs, good=0)
        if failed:
            print("without any fault:", *failed, sep="\n  ")
            return 1
        jobs = [(f"{fault.file}: {fault.breaks}", fault.library, fault.tests, fault) for fault in chosen]
        unseen = run_all("caught", copies, pool, jobs, good=FAILED)
    print(f"{len(chosen) - len(unseen)} of {len(chosen)} planted faults caught")
    for line in unseen:
        print("  ", line)
    return 1 if unseen or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
