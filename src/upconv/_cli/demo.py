"""``python -m upconv demo``: a photograph, upsampled by every library installed here, compared, and drawn."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from rich.progress import Progress

from upconv._cli import CommandError, advice, photo
from upconv._cli.arrays import Arrays
from upconv._cli.outputs import IMAGES, PICTURES, try_output
from upconv._cli.pixels import read
from upconv._cli.present import present
from upconv._cli.report import Report, ulp
from upconv._cli.upsampling import Result, Upsampling

__all__ = ["run"]

LEGEND = "ms: the median of a few calls. ulp: the largest error, in units in the last place of float32."


def run(arguments: Namespace) -> int:
    """Print a row for each library and save the picture; return 1 if a result is wrong."""
    source = photo.sample() if arguments.photo is None else arguments.photo
    try_output("--out", arguments.out, PICTURES, keep=[source])
    if arguments.image:
        try_output("--image", arguments.image, IMAGES, keep=[source, arguments.out])
    found = read(source, arguments.factor)
    report = Report(
        "One photograph, upsampled by every library",
        ("version", "device", "algorithm"),
        ("ms", "against oracle", "against own op"),
    )
    images, compared = [], []
    with Progress(console=report.console, transient=True) as progress:
        progress.add_task("upsampling", total=None)
        upsampling = Upsampling(found.pixels, arguments.factor)
        for library, arrays in present(report):
            compared.append(library.name)
            images += _row(report, library.name, arrays, upsampling)
    report.print(LEGEND)
    for remark in (*found.remarks, advice.faster(compared)):
        if remark:
            report.say(remark)
    if not report.compared:
        raise CommandError("nothing was upsampled: no library can be used here")
    if images:
        _save(report, found.pixels, images[0], arguments)
    else:
        report.say("Nothing was saved, because no result is right.")
    return 1 if report.faults else 0


def _row(report: Report, name: str, arrays: Arrays, upsampling: Upsampling) -> list[Any]:
    """Add the row of one library; return its image, if that is right."""
    try:
        result = upsampling.run(arrays)
    except Exception as error:  # noqa: BLE001  whatever a library raises is a finding
        report.add(name, arrays.version, *[""] * 5, fault=f"{name} fails: {type(error).__name__}: {error}")
        return []
    fault = f"{name} disagrees: {result.fault}" if result.fault else ""
    report.add(name, arrays.version, *_cells(result), fault=fault)
    return [] if fault else [result.image]


def _save(report: Report, pixels: Any, image: Any, arguments: Namespace) -> None:
    photo.draw(pixels, image, arguments.factor, arguments.out)
    report.say(f"Saved {arguments.out}")
    if arguments.image:
        photo.save(image, arguments.image)
        report.say(f"Saved {arguments.image}")


def _cells(result: Result) -> tuple[str, ...]:
    error = result.against_own
    own = "none" if error is None else ulp(error) if error else "same"
    return result.device, result.algorithm, f"{result.milliseconds:.0f}", ulp(result.against_oracle), own
