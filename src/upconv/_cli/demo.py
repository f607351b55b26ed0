"""``python -m upconv demo``: a photograph, upsampled by every library installed here, compared, and drawn."""

from __future__ import annotations

from argparse import Namespace

from rich.progress import Progress

from upconv._cli import CommandError, photo
from upconv._cli.libraries import Unavailable, load
from upconv._cli.report import Report, ulp
from upconv._cli.upsampling import Result, Upsampling
from upconv._libraries import LIBRARIES

__all__ = ["run"]

LEGEND = "ms: the median of a few calls. ulp: the largest error, in units in the last place of float32."


def run(arguments: Namespace) -> int:
    """Print a row for each library and save the picture; return 1 if a result is wrong."""
    if not arguments.out.parent.is_dir():  # said now, rather than when all is done
        raise CommandError(f"cannot write {arguments.out}: there is no folder {arguments.out.parent}")
    pixels, times = photo.read(arguments.photo, arguments.factor)
    report = Report(
        "One photograph, upsampled by every library",
        ("version", "device", "algorithm"),
        ("ms", "against oracle", "against own op"),
    )
    images = []
    with Progress(console=report.console, transient=True) as progress:
        task = progress.add_task("oracle", total=len(LIBRARIES) + 1)
        upsampling = Upsampling(pixels, arguments.factor)
        for library in LIBRARIES:
            progress.update(task, advance=1, description=library.name)
            try:
                arrays = load(library.name)
            except Unavailable as why:
                report.miss(library.name, why)
                continue
            try:
                result = upsampling.run(arrays)
            except Exception as error:  # noqa: BLE001  whatever a library raises is a finding
                fault = f"{library.name} fails: {type(error).__name__}: {error}"
                report.add(library.name, arrays.version, *[""] * 5, fault=fault)
                continue
            fault = f"{library.name} disagrees: {result.fault}" if result.fault else ""
            images += [] if fault else [result.image]
            report.add(library.name, arrays.version, *_cells(result), fault=fault)
    report.print(LEGEND)
    if times > 1:
        report.say(f"The photograph was reduced {times} times first, to bound the memory that the oracle takes.")
    if images:
        photo.draw(pixels, images[0], arguments.factor, arguments.out)
        report.say(f"Saved {arguments.out}")
    return 1 if report.faults else 0


def _cells(result: Result) -> tuple[str, ...]:
    error = result.against_own
    own = "none" if error is None else ulp(error) if error else "same"
    return result.device, result.algorithm, f"{result.milliseconds:.0f}", ulp(result.against_oracle), own
