"""The command line, ``python -m upconv``. A command is a module of `upconv._cli`, imported when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module, util
from pathlib import Path

import upconv
from upconv._bench.options import add_options
from upconv._cli import CommandError

__all__ = ["main"]

# What each command imports, so that the one missing is named before anything runs.
NEEDS = {
    "demo": ("numpy", "rich", "matplotlib"),
    "check": ("numpy", "rich"),
    "bench": ("numpy", "rich", "matplotlib"),
}
LENGTH = "All layers of one library, verb and dtype take some four minutes on two cores."
EXTRAS = {"demo": "demo", "check": "demo", "bench": "bench"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its status.

    0, 1 for a wrong result, 2 for a command that cannot run, 130 for an interrupt, 141 for a closed pipe.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # where the locale lacks a sign, the rest can still be read
    try:
        if arguments.command is None:
            parser.print_help()
            return 0
        _refuse_missing(arguments.command)
        command = import_module(f"upconv._cli.{arguments.command}")
        status = int(command.run(arguments))
        sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"upconv {arguments.command}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"upconv {arguments.command}: interrupted\n")
        return 130
    except BrokenPipeError:  # whoever read has left, as `head` does
        _discard_stdout()
        return 141
    return status


def _discard_stdout() -> None:
    """Let Python's own flush at exit go nowhere, or it would complain about the closed pipe again."""
    with suppress(OSError, ValueError):  # a stdout that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m upconv", description="Transposed convolution, seen and checked.")
    parser.add_argument("--version", action="version", version=f"upconv {upconv.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    about = "upsample a photograph on every library installed here, compare the results and save a picture"
    demo = commands.add_parser("demo", help=about, description=f"{about.capitalize()}.")
    demo.add_argument(
        "photo", nargs="?", type=Path, metavar="PHOTO", help="an image file (default: one of matplotlib's)"
    )
    demo.add_argument(
        "--factor", type=int, default=3, choices=range(1, 9), metavar="N", help="1 to 8 times the size (default: 3)"
    )
    demo.add_argument(
        "--out", type=Path, default=Path("upconv-demo.png"), metavar="FILE", help="the picture (default: %(default)s)"
    )
    demo.add_argument("--image", type=Path, metavar="FILE", help="save the upsampled photograph alone, too")

    about = "compare every library and algorithm installed here with a float64 reference, on random geometries"
    commands.add_parser("check", help=about, description=f"{about.capitalize()}.")

    about = "time every layer beside each library's own op, for arrays of numpy beside other libraries, and two limits"
    bench = commands.add_parser("bench", help=about, description=f"{about.capitalize()}. {LENGTH}")
    add_options(bench)
    return parser


def _refuse_missing(command: str) -> None:
    missing = [name for name in NEEDS[command] if util.find_spec(name) is None]
    if missing:
        raise CommandError(f'needs {" and ".join(missing)}: pip install "upconv[{EXTRAS[command]}]"')


if __name__ == "__main__":
    sys.exit(main())
