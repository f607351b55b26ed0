"""Compile the CUDA text to machine code, without a device: ``python tests/cuda_on_cpu/cubins.py`` prints a table."""

import re
import sys
from collections import Counter
from typing import NamedTuple

__all__ = ["CHIPS", "Use", "build", "name"]

CHIPS = (75, 80, 86, 89, 90, 100, 120)


class Use(NamedTuple):
    """What ptxas says about one kernel, its functions together."""

    registers: int
    spilled: int  # bytes
    stack: int
    shared: int


def build(spec, chip):
    """Compile one specialisation for one chip, with the options that CuPy adds."""
    from cupy_backends.cuda.libs import nvrtc

    from upconv._lower._cupy._module import options, source

    program = nvrtc.createProgram(source(), "conv_transpose.cu", [], [])
    try:
        try:
            nvrtc.compileProgram(program, (*options(spec), f"-arch=sm_{chip}", "-ftz=true", "--ptxas-options=-v"))
        except nvrtc.NVRTCError as error:
            raise AssertionError(nvrtc.getProgramLog(program)) from error
        assert len(nvrtc.getCUBIN(program)) > 1000
        log = nvrtc.getProgramLog(program)
    finally:
        nvrtc.destroyProgram(program)

    def found(pattern):
        return [int(n) for n in re.findall(pattern, log)]

    spilled = sum(found(r"(\d+) bytes spill stores")) + sum(found(r"(\d+) bytes spill loads"))
    return Use(
        max(found(r"Used (\d+) registers")),
        spilled,
        sum(found(r"(\d+) bytes stack frame")),
        sum(found(r"(\d+) bytes smem")),
    )


def name(spec):
    """A specialisation in one word."""
    values = dict(spec.macros)
    words = [values["DTYPE"], spec.kernel]
    if spec.kernel == "tile":
        words += [f"{values['BM']}x{values['BN']}"] + ["tensor"] * (values["MMA"] == "1")
        words += ["by_channel"] * (values["BY_CHANNEL"] == "1")
    return "-".join(
        [
            *words,
            *(
                [values["OUTS"]]
                if spec.kernel == "direct"
                else ["pairs"] * (spec.kernel == "pack" and values["MMA"] == "1")
            ),
        ]
    )


def main():
    """Print registers by specialisation and chip."""
    from cuda_on_cpu import standin

    if not standin.has_device():
        standin.install()
    from cuda_on_cpu.forms import specs

    chips = [int(chip) for chip in sys.argv[1:]] or CHIPS
    spills = Counter()
    print(f"{'registers':36}", *(f"sm_{chip:<4}" for chip in chips))
    for spec in dict.fromkeys(spec for chip in chips for spec in specs(chip)):
        row = []
        for chip in chips:
            use = build(spec, chip) if spec in specs(chip) else None
            spills[chip] += use.spilled if use else 0
            row.append(f"{use.registers}{'!' * bool(use.spilled)}".ljust(7) if use else "-".ljust(7))
        print(f"{name(spec):36}", *row, flush=True)
    print(f"{'bytes spilled':36}", *(f"{spills[chip]:<7}" for chip in chips))
    return any(spills.values())


if __name__ == "__main__":
    from pathlib import Path

    sys.path[:0] = [str(Path(__file__).parents[1])]
    sys.exit(main())
