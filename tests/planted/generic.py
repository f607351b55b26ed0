"""Faults of the generic lowering, seen on the libraries that have no other, and on those whose dtypes it widens."""

from planted.fault import Fault

__all__ = ["FAULTS"]

FILE = "_lower/_generic.py"
VALUES = "test_values.py -k both_layouts"
BACK = "test_adjoint.py -k 'named and generic'"
HALVES = "test_values.py -k 'halves and generic'"

FAULTS = (
    Fault(
        "one tap of each phase",
        "strict",
        VALUES,
        FILE,
        "phases[phase] + term if phase in phases else term",
        "term",
    ),
    Fault(
        "every group has the weight of the first",
        "dask",
        "test_values.py -k 'named and (groups or depthwise)'",
        FILE,
        "ours = matrix[g * ins : (g + 1) * ins, :]",
        "ours = matrix[:ins, :]",
    ),
    Fault(
        "every group has the image of the first",
        "strict",
        VALUES,
        FILE,
        "image[:, g * each : (g + 1) * each, ...]",
        "image[:, :each, ...]",
    ),
    Fault(
        "the correlation's groups have the first image",
        "strict",
        BACK,
        FILE,
        "b[:, g * outs : (g + 1) * outs, ...]",
        "b[:, :outs, ...]",
    ),
    Fault("a term in front of its place", "strict", VALUES, FILE, "[tap.at for tap in taps]", "[0 for tap in taps]"),
    Fault(
        "no bias where no tap reaches",
        "numpy",
        "test_values.py -k 'named and generic'",
        FILE,
        "(self.shape(x)[0], plan.out_channels, *plan.out), x, weight)",
        "(self.shape(x)[0], plan.out_channels, *plan.out), x, weight)\n            bias = None",
    ),
    Fault(
        "no bias where no tap takes",
        "numpy",
        BACK,
        FILE,
        "(self.shape(y)[0], plan.in_channels, *plan.size), y, weight)",
        "(self.shape(y)[0], plan.in_channels, *plan.size), y, weight)\n            bias = None",
    ),
    Fault(
        "axes interleaved in each other's order",
        "strict",
        VALUES,
        FILE,
        "in reversed(list(enumerate(zip(plan.stride, plan.out, strict=True), start=2))):",
        "in list(enumerate(zip(plan.stride, plan.out, strict=True), start=2)):",
    ),
    Fault(
        "float16 added in float16",
        "numpy",
        HALVES,
        FILE,
        '"float16" not in str(getattr(array.dtype, "name", array.dtype)):',
        '"bfloat16" not in str(getattr(array.dtype, "name", array.dtype)):',
    ),
    Fault(
        "bfloat16 added in bfloat16",
        "torch",
        HALVES,
        FILE,
        '"float16" not in str(getattr(array.dtype, "name", array.dtype)):',
        '"float16" != str(array.dtype).rpartition(".")[2]:',
    ),
    Fault(
        "the bias's derivative added in its own precision",
        "numpy",  # the others add halves in float32 unasked, on the machines where this was tried
        "test_vjp.py -k halves",
        FILE,
        "self.xp.sum(self._wide(y), axis=over)",
        "self.xp.sum(y, axis=over)",
    ),
    Fault(
        "the bias's derivative is that of the channels in front",
        "numpy",
        "test_vjp.py -k 'differences or last'",
        FILE,
        "tuple(range(plan.rank + 1)) if plan.channels_last else",
        "tuple(range(plan.rank + 1)) if False else",
    ),
    Fault(
        "zeros of a product, not of nothing",
        "numpy",
        "test_adjoint.py -k 'not_finite and generic'",
        FILE,
        "y[_landing(plan, taps)], weight, taps, adjoint=True)",
        "y[_landing(plan, taps)] + 0 * self.xp.sum(weight), weight, taps, adjoint=True)",
    ),
    Fault(
        "new arrays on the default device",
        "strict",
        "test_values.py -k 'named and device1'",
        "_lower/_strict/__init__.py",
        "device=lambda array: array.device",
        "device=lambda array: None",
    ),
    Fault(
        "the matrix lies on its side",
        "dask",
        "test_linear.py -k definition",
        FILE,
        "(n, prod(plan.image_shape))), 0, 1)",
        "(n, prod(plan.image_shape))), 0, 0)",
    ),
)
