"""Bugs planted in the CUDA text, to see that the tests see them: run this file for a table.

Each is a mistake that compiles, and that many inputs would not show. One that stays unseen is a test that is missing.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["BUGS", "Bug", "plant", "symptom"]


class Bug(NamedTuple):
    """A piece of the text, what it is replaced by, and the forms in which it must be seen."""

    name: str
    sound: str
    broken: str
    forms: tuple[str, ...]


TILE, STAGED, TENSOR, DIRECT = "F32-tile-16x128", "BF16-tile-16x128", "F16-tile-tensor-16x128", "F32-direct-4"
BUGS = (
    Bug("no barrier before a stage is read", "<STAGES - 2>();\n        __syncthreads();", "<STAGES - 2>();", (TILE,)),
    Bug(
        "no barrier before the slab is read",
        "#endif\n        __syncthreads();\n#pragma unroll 1",
        "#endif\n#pragma unroll 1",
        (TILE,),
    ),
    Bug(
        "no barrier before the slab is filled again",
        "part) {\n        __syncthreads();",
        "part) {",
        (TILE, "F16-tile-tensor-64x128"),
    ),
    Bug("no barrier before the phase is read", "residue[j]);\n    __syncthreads();", "residue[j]);", (TILE,)),
    Bug(
        "a copy is read while it is in flight", "copies_landed<STAGES - 2>();", "copies_landed<STAGES - 1>();", (TILE,)
    ),
    Bug("a stage is filled too early", "int now = 0, next = STAGES - 1;", "int now = 0, next = STAGES - 2;", (TILE,)),
    Bug("no bound in front of x", "if (p < 0 || p >=", "if (p >=", (TILE,)),
    Bug("no bound behind x", "if (p < 0 || p >= problem.axis[j].size)", "if (p < 0)", (TILE,)),
    Bug("no bound of the input channels", "!= OUTSIDE && ci < problem.ins;", "!= OUTSIDE;", (TILE,)),
    Bug("no bound of the second half of a pair", "real && ci + 1 < problem.ins ?", "real ?", (TENSOR,)),
    Bug(
        "no bound of the output channels",
        "column.real = rest < static_cast<unsigned long long>(problem.outs);",
        "column.real = true;",
        (TILE,),
    ),
    Bug("no bound of the batch", "place.real = place.at < problem.batch;", "place.real = true;", (TILE,)),
    Bug("no bound of y in a merged phase", "if (o < 0 || o >= problem.axis[j].out) return;", "", (TILE,)),
    Bug(
        "the input of group 0",
        "from = problem.x + offset[k % PLACES] + (group * problem.ins + ci)",
        "from = problem.x + offset[k % PLACES] + (ci)",
        (TILE,),
    ),
    Bug("the weight of group 0", "if (j == 0) tap += group * extent;", "", (TILE,)),
    Bug(
        "the bias of group 0", "column.channel = group * static_cast<int>(problem.outs) +", "column.channel =", (TILE,)
    ),
    Bug("phases without the crop", "unsigned residue = r + rest;", "unsigned residue = r;", (TILE, DIRECT)),
    Bug("the shift without the crop", "- 2 - static_cast<int>(axis.crop_steps)", "- 2", (TILE, DIRECT)),
    Bug("a phase that stride and dilation do not reach", "if (residue % g) return phase;", "", (TILE, DIRECT)),
    Bug("taps s apart, not s/g", "step = s / g;", "step = s;", (TILE, DIRECT)),
    Bug(
        "the last tap of a phase is lost",
        "(kernel - 1 - first) / step + 1;",
        "(kernel - first) / step;",
        (TILE, DIRECT),
    ),
    Bug(
        "merged phases without the rest of the crop",
        "return {-static_cast<int>(axis.crop_rest), places",
        "return {0, places",
        (TILE,),
    ),
    Bug(
        "a split that overlaps the next",
        "chunks * (split + 1) / problem.splits);",
        "(chunks * (split + 1) + 1) / problem.splits);",
        (TILE,),
    ),
    Bug(
        "all splits in one place",
        "problem.partial + split * problem.total + at, sum",
        "problem.partial + at, sum",
        (TILE,),
    ),
    Bug("a NaN of zero times infinity is kept", "return outside ? sum : found;", "return found;", (TILE, TENSOR)),
    Bug(
        "fragments of a and b out of step",
        "weights[row_of_lane + 4 * (part / 2)]",
        "weights[row_of_lane + 4 * (part % 2)]",
        (TENSOR,),
    ),
    Bug("bfloat16 cut off, not rounded", "(bits + 0x7fff + (bits >> 16 & 1)) >> 16", "bits >> 16", (STAGED,)),
    Bug(
        "the direct sum begins one tap late",
        "from[j] = last < size ? 0 :",
        "from[j] = last < size - 1 ? 0 :",
        (DIRECT,),
    ),
    Bug(
        "the direct sum ends one tap late",
        "to[j] = last < 0 ? 0 : smaller(phase.taps, last / phase.shift_step + 1);",
        "to[j] = phase.taps;",
        (DIRECT,),
    ),
    Bug("the direct weight of group 0", "weight_at += problem.ins * problem.weight_in;\n", "\n", (DIRECT,)),
)


@contextmanager
def plant(bug):
    """Compile the broken text for the time of a `with`."""
    from upconv._lower._cupy import _module

    text = _module.source()
    assert text.count(bug.sound) == 1, f"{bug.name}: its text occurs {text.count(bug.sound)} times"
    sound = _module.source
    _module.source = lambda: text.replace(bug.sound, bug.broken)
    _module.kernel.cache_clear()
    try:
        yield
    finally:
        _module.source = sound
        _module.kernel.cache_clear()


def symptom(bug, title_):
    """What the tests say about one form of a broken text, or None."""
    from cuda_on_cpu.forms import FORMS, title
    from test_cupy_kernel import NAMED, check, deep, test_what_is_not_finite_stays_in_its_receptive_field, ways

    (form,) = (form for form in FORMS if title(form) == title_)
    with plant(bug):
        try:
            for case in (*deep(), *NAMED):
                for way in ways(form, case):
                    check(way, case)
            for where in ("weight", "x"):
                test_what_is_not_finite_stays_in_its_receptive_field(form, where)
        except Exception as error:  # noqa: BLE001  a kernel that breaks, a value that differs
            return str(error).strip().partition("\n")[0] or type(error).__name__
    return None


def main():
    """Plant each bug; say what was seen of it."""
    from cuda_on_cpu import standin

    standin.install()
    runs = [(bug, form) for bug in BUGS for form in bug.forms]
    unseen = 0
    for k, (bug, form) in enumerate(runs, start=1):
        print(f"{k:2}/{len(runs)}  {bug.name:52} {form:24} ", end="", flush=True)
        found = symptom(bug, form)
        unseen += found is None
        print("NOT SEEN" if found is None else found[:90])
    print(f"{len(runs) - unseen} of {len(runs)} seen")
    return unseen > 0


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]
    sys.exit(main())
