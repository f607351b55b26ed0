"""Faults of the plan: sizes, crops, phases, and what a part of it takes."""

from planted.fault import Fault

__all__ = ["FAULTS"]

FILE = "_plan.py"
VALUES = "test_values.py -k both_layouts"
BACK = "test_adjoint.py -k 'named and generic'"
TILES = "test_tiles.py -k 'named or many_tiles'"
SAYS = "test_values.py -k 'named and native and (pairs or output or crop or same or append)'"

FAULTS = (
    Fault(
        "the crop in front is added, not taken away", "numpy", VALUES, FILE, "divmod(a * d - lo, s)", "divmod(a * d, s)"
    ),
    Fault("the kernel is flipped", "numpy", VALUES, FILE, "divmod(a * d - lo, s)", "divmod((k - 1 - a) * d - lo, s)"),
    Fault("taps without dilation", "strict", VALUES, FILE, "divmod(a * d - lo, s)", "divmod(a - lo, s)"),
    Fault(
        "the last sample of a phase that is one longer is lost",
        "numpy",
        VALUES,
        FILE,
        "samples = max(0, -(-(out - phase) // s))",
        "samples = max(0, (out - phase) // s)",
    ),
    Fault(
        "the last input of a tap is lost", "numpy", BACK, FILE, "min(i, samples - shift)", "min(i - 1, samples - shift)"
    ),
    Fault(
        "an input in front of the image is read", "strict", VALUES, FILE, "min(max(0, -shift), i)", "min(abs(shift), i)"
    ),
    Fault(
        "a tap lands beside its phase",
        "numpy",
        BACK,
        FILE,
        "begin = (first + self.shift) * s + self.phase",
        "begin = (first + self.shift) * s + (self.phase + 1) % s",
    ),
    Fault("phases rounded down", "numpy", VALUES, FILE, "return -(-out // s)", "return max(1, out // s)"),
    Fault(
        "the crop behind without that in front",
        "numpy",
        "test_vjp.py -k 'differences and pairs'",
        FILE,
        "full_size(i, k, s, d) - n - front for",
        "full_size(i, k, s, d) - n for",
    ),
    Fault(
        "an empty image has a size below nothing",
        "numpy",
        "test_contract.py -k output_shape",
        FILE,
        "return max(0, (i - 1) * s + d * (k - 1) + 1)",
        "return (i - 1) * s + d * (k - 1) + 1",
    ),
    Fault(
        "an image without samples is none of the empty",
        "torch",
        "test_values.py -k 'named and no-samples'",
        FILE,
        "not all((in_channels, out_channels, *size, *out))",
        "not all((in_channels, out_channels, *out))",
    ),
    Fault(
        "the weight's shape is regrouped",
        "numpy",
        "test_adjoint.py -k 'named and groups'",
        FILE,
        "weight_shape=(in_channels, out_channels // groups, *kernel)",
        "weight_shape=(in_channels // groups, out_channels, *kernel)",
    ),
    Fault(
        "stride and dilation change places in a part",
        "numpy",
        TILES,
        FILE,
        "in (plan.size, plan.kernel, plan.stride, plan.dilation, plan.lo))",
        "in (plan.size, plan.kernel, plan.dilation, plan.stride, plan.lo))",
    ),
    Fault(
        "a part begins one input late",
        "numpy",
        TILES,
        FILE,
        "first = min(i, max(0, -((d * (k - 1) - lo - start) // s)))",
        "first = min(i, max(0, -((d * (k - 1) - lo - start) // s) + 1))",
    ),
    Fault(
        "a part ends one input early",
        "torch",
        "test_torch_overlap_add.py -k many_tiles",
        FILE,
        "(stop - 1 + lo) // s + 1",
        "(stop - 1 + lo) // s",
    ),
    Fault(
        "a part keeps the crop of the whole",
        "numpy",
        TILES,
        FILE,
        "put(plan.lo, lo + start - first * s)",
        "put(plan.lo, lo)",
    ),
    Fault(
        "an op's crop is that of the back",
        "torch",
        SAYS,
        FILE,
        "return lo, lo - hi, (0, 0), (0, 0)",
        "return max(0, hi), lo - hi, (0, 0), (0, 0)",
    ),
    Fault(
        "output_padding as large as the stride",
        "numpy",
        "test_plan.py",
        FILE,
        "0 <= lo - hi < max(s, d)",
        "0 <= lo - hi <= max(s, d)",
    ),
    Fault(
        "crops change places, front and back",
        "torch",
        SAYS,
        FILE,
        "(max(0, lo), max(0, hi))",
        "(max(0, hi), max(0, lo))",
    ),
    Fault(
        "what is appended changes places",
        "torch",
        SAYS,
        FILE,
        "(max(0, -lo), max(0, -hi))",
        "(max(0, -hi), max(0, -lo))",
    ),
)
