"""One call with all that a call may vary in: what it is given, and what it must give."""

from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec

import numpy as np

import oracle
import upconv
from cases import Case
from libraries import start
from memory import given, kinds, lay
from upconv._libraries import owner

__all__ = ["Call", "Case", "Refused", "Trial", "dtypes"]

# Which of x, weight and y are given, in this order.
OPERANDS = {"conv_transpose": ("x", "weight"), "conv": ("y", "weight"), "conv_weight": ("x", "y")}
# |y - exact| <= C * (n + 2) * eps * (|x| * |w| + |b|), n terms. Rounding each product and each sum makes it a half;
# a complex product may be made of three real ones, whose factors are sums already.
C = {"f": 1, "c": 4}
HALVES = {"float16": (2.0**-11, 2.0**-25), "bfloat16": (2.0**-8, 2.0**-134)}  # half a unit, and of the smallest


class Refused(Exception):  # noqa: N818  no error: the algorithm says what it is not for
    pass


@dataclass(frozen=True)
class Call:
    verb: str
    case: Case  # the geometry, and the words that say it
    dtype: str
    data_format: str = "channels_first"
    batched: bool = True
    layouts: tuple = ("c", "c", "c")  # of each operand, as memory.py names them
    way: int = 0  # which of the kinds of arrays that memory.py has for the library
    exact: bool = True  # no sum is rounded, in whatever order
    seed: int = 0

    def script(self, library, algorithm):
        """A program that makes the call, and raises where the value is wrong."""
        lines = ("# PYTHONPATH=tests:src python", "from fuzz import Call, Case", "", f"call = {self}")
        return "\n".join([*lines, f"print(call.replay({library!r}, {algorithm!r}))"])

    def replay(self, library, algorithm):
        start(library)
        return Trial(self, kinds(library)[self.way]).run(algorithm)

    @property
    def arguments(self):
        """All but the arrays."""
        kernel = {"kernel_size": self.case.weight[2:]} if self.verb == "conv_weight" else {}
        return self.case.arguments | kernel | {"data_format": self.data_format}

    @cached_property
    def operands(self):
        """What upconv is given, in NumPy's memory."""
        case, rng = self.case, np.random.default_rng([self.seed, *self.case.x, *self.case.weight])
        shapes = {"x": case.x, "weight": case.weight, "y": (case.x[0], case.weight[1] * case.groups, *case.out)}
        names = OPERANDS[self.verb]
        arrays = [self._draw(rng, shapes[name], -3) for name in names]
        if case.bias and self.verb != "conv_weight":
            channels = shapes["y"][1] if self.verb == "conv_transpose" else shapes["x"][1]
            arrays.append(self._draw(rng, (channels,), -6))
            names = (*names, "bias")
        arrays = [self._image(a) if name in "xy" else a for name, a in zip(names, arrays, strict=True)]
        return [lay(a, layout) for a, layout in zip(arrays, self.layouts, strict=False)]

    def _draw(self, rng, shape, exponent):
        dtype = as_numpy(self.dtype)
        if dtype.kind in "iu":
            least, most = (-9 * (dtype.kind == "i"), 9) if self.exact else (np.iinfo(dtype).min, np.iinfo(dtype).max)
            return rng.integers(least, most, shape, dtype, endpoint=True)

        def draw():
            if self.exact:  # on a grid, and no sum of these products has more than 24 bits
                return np.ldexp(rng.integers(-15, 16, shape), exponent)
            spread = 3 if self.dtype in HALVES else 7  # so that a sample has few large terms, or none
            return np.ldexp(rng.standard_normal(shape), rng.integers(-spread, spread, shape) + exponent)

        return (draw() + 1j * draw() if dtype.kind == "c" else draw()).astype(dtype)

    def _image(self, a):
        """From the oracle's layout to the call's."""
        a = np.moveaxis(a, 1, -1) if self.data_format == "channels_last" else a
        return a if self.batched else a[0]

    def first(self, a):
        """From the call's layout to the oracle's."""
        a = a if self.batched else a[None]
        return np.moveaxis(a, -1, 1) if self.data_format == "channels_last" else a

    @cached_property
    def expected(self):
        """What the oracle says in a wider type, and the sums of magnitudes.

        Where there is none, as of long doubles on most platforms, C has room for two who round.
        """
        dtype = as_numpy(self.dtype)
        if dtype.kind in "iu":
            wide = np.int64
        elif dtype.kind == "c":
            wide = np.complex128 if dtype.itemsize < 16 else np.clongdouble
        else:
            wide = np.float64 if dtype.itemsize < 8 else np.longdouble
        arrays = [a.astype(wide) for a in self.operands]
        images = {"conv_transpose": (0,), "conv": (0,), "conv_weight": (0, 1)}[self.verb]
        arrays = [self.first(a) if n in images else a for n, a in enumerate(arrays)]
        rounds = not self.exact and dtype.kind not in "iu"
        return self._ask(arrays), self._ask([np.abs(a) for a in arrays]) if rounds else None

    def _ask(self, arrays):
        stride, dilation, groups, lo, out = self.case.geometry
        arrays = arrays if len(arrays) > 2 or self.verb == "conv_weight" else [*arrays, None]
        last = {"conv_transpose": (lo, out), "conv": (lo, self.case.x[2:]), "conv_weight": (lo,)}[self.verb]
        kernel = (self.case.weight[2:],) if self.verb == "conv_weight" else ()
        return getattr(oracle, self.verb)(*arrays, *kernel, stride, dilation, groups, *last)

    @property
    def terms(self):
        """How many products there are in one sample, at most."""
        case, taps = self.case, oracle.volume(self.case.weight[2:])
        by_verb = {"conv_transpose": case.weight[0] // case.groups * taps, "conv": case.weight[1] * taps}
        return by_verb.get(self.verb, case.x[0] * oracle.volume(np.minimum(case.x[2:], case.out)))

    def error(self, found, algorithm):
        """The largest error in parts of the bound; what must be equal has one of 0 or inf."""
        exact, magnitude = self.expected
        found = self.first(found) if self.verb != "conv_weight" else found
        assert found.shape == exact.shape, f"shape {found.shape}, not {exact.shape}"
        dtype, (half, least) = as_numpy(self.dtype), HALVES.get(self.dtype, (0, 0))
        if magnitude is None and algorithm not in oracle.BY_NORMS:
            right = exact.astype(dtype)  # one rounding
            return np.inf if (found.astype(right.dtype) != right).any() else 0.0
        if algorithm in oracle.BY_NORMS:
            bound = oracle.bound_by_norms(exact, *self.operands[:2], eps(dtype))
        else:
            wide = eps(np.dtype("float32") if half else dtype)
            bound = C["c" if dtype.kind == "c" else "f"] * (self.terms + 2) * wide * magnitude
            bound = bound * (1 + half) + half * np.abs(exact)
        error = np.abs(found.astype(exact.dtype) - exact)
        unreached = np.where(error > 0, np.inf, 0)
        return float(np.divide(error, bound + least, out=unreached, where=bound + least > 0).max(initial=0))


class Trial:
    """A call on the arrays of one kind; all algorithms share what it is given."""

    def __init__(self, call, variant):
        self.call, self.variant = call, variant
        self.before = [a.copy() for a in call.operands]
        self.made = [given(variant, a) for a in call.operands]

    def run(self, algorithm):
        """Return the error; raise `Refused`, `AssertionError` or the library's error."""
        call, variant = self.call, self.variant
        function = partial(getattr(upconv, call.verb), **call.arguments, algorithm=algorithm)
        try:
            y = variant.call(function, *self.made)
        except ValueError as error:
            if "does not take" not in str(error):
                raise
            raise Refused from error
        assert owner(y) is owner(self.made[0])
        assert y.dtype == self.made[0].dtype, f"dtype {y.dtype}"
        assert variant.device is None or variant.where(y) == variant.device
        error = call.error(variant.back(y), algorithm)
        assert error <= 1, f"an error of {error:.3g} bounds" if np.isfinite(error) else "not equal"
        for a, before in zip(call.operands, self.before, strict=True):
            np.testing.assert_array_equal(a, before, "an operand was written to")
        return error


def dtypes(library):
    """Those of a library that can be made here: bfloat16 is that of ml_dtypes, which the bare session has not."""
    return tuple(name for name in library.dtypes if name != "bfloat16" or find_spec("ml_dtypes"))


def as_numpy(name):
    """A dtype by its name; bfloat16 is that of ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def eps(dtype):
    """The distance from 1 to the next number."""
    return np.finfo(dtype).eps if dtype.name != "bfloat16" else 2.0**-7
