"""The plan's integers against counting: tap a sends input p to output p*s + a*d - lo, and that is all of it."""

import numpy as np
import pytest

import oracle
from upconv._plan import full_size, make_plan, part


@pytest.fixture(autouse=True)
def once(library):
    if library.name != "numpy":
        pytest.skip("the plan knows no library: counted in the session of numpy")


def _draw():
    """Two unequal axes each: i, k, s, d, lo, out; every sixth has an empty axis, crops have either sign."""
    rng = np.random.default_rng(11)
    for n in range(300):
        axes = [
            [int(rng.integers(*ends)) for ends in ((1, 7), (1, 6), (1, 6), (1, 5), (-5, 9), (1, 14))] for _ in range(2)
        ]
        if n % 6 == 5:
            axes[n % 2][n % 4 // 2 * 5] = 0
        yield tuple(map(tuple, axes))


GEOMETRIES = list(_draw())


def plan_of(axes, *, channels_last=False):
    names = ("size", "kernel", "stride", "dilation", "lo", "out")
    words = dict(zip(names, map(tuple, zip(*axes, strict=True)), strict=True))
    return make_plan(in_channels=6, out_channels=4, groups=2, channels_last=channels_last, **words)


def meetings(i, k, s, d, lo, out):
    """Tap, input and output, for all that meet inside both."""
    return {(a, p, p * s + a * d - lo) for a in range(k) for p in range(i) if 0 <= p * s + a * d - lo < out}


def counted(plan, axis):
    """The same, as the taps of a plan say."""
    s, found = plan.stride[axis], set()
    for tap in plan.taps[axis]:
        inputs, size = range(tap.start, tap.stop), -(-max(0, plan.out[axis] - tap.phase) // s)
        assert 0 <= tap.start <= tap.stop <= plan.size[axis]
        assert 0 <= tap.at <= tap.at + len(inputs) <= size
        assert 0 <= tap.phase < s
        if inputs:
            places = range(plan.out[axis])[tap.lands(s, tap.start, tap.stop)]
            assert [o % s for o in places] == [tap.phase] * len(inputs)
            assert [o // s for o in places] == list(range(tap.at, tap.at + len(inputs)))
            assert (
                list(places)[1:]
                == list(range(plan.out[axis])[tap.lands(s, tap.start + 1, tap.stop)])[: len(inputs) - 1]
            )
            found |= {(tap.a, p, o) for p, o in zip(inputs, places, strict=True)}
    return found


def test_taps():
    for axes in GEOMETRIES:
        plan = plan_of(axes)
        assert [tap.a for tap in plan.taps[0]] == list(range(plan.kernel[0]))
        for axis, numbers in enumerate(axes):
            assert counted(plan, axis) == meetings(*numbers), numbers


def test_sizes_and_shapes():
    for axes in GEOMETRIES:
        plan, last = plan_of(axes), plan_of(axes, channels_last=True)
        size, out, kernel = plan.size, plan.out, plan.kernel
        full = oracle.full(*zip(*(numbers[:4] for numbers in axes), strict=True))
        assert [n - lo - hi for n, lo, hi in zip(full, plan.lo, plan.hi, strict=True)] == list(out)
        assert full == tuple(full_size(*numbers[:4]) for numbers in axes)
        assert [len(range(0, n, s)) for n, s in zip(out, plan.stride, strict=True)] == list(plan.phase_size)
        assert (plan.rank, plan.sample_shape, plan.image_shape) == (2, (6, *size), (4, *out))
        assert (last.sample_shape, last.image_shape) == ((*size, 6), (*out, 4))
        assert plan.weight_shape == last.weight_shape == (6, 2, *kernel)
        assert all(type(n) is int for n in plan.weight_shape)
        assert plan.is_empty == (0 in size + out)
        assert plan == plan_of(axes) != last
        assert hash(plan) == hash(plan_of(axes))
    assert len({hash(plan_of(axes)) for axes in GEOMETRIES}) == len(set(GEOMETRIES))


def test_arguments_of_unequal_rank_are_no_plan():
    words = dict.fromkeys(("size", "kernel", "stride", "dilation", "out"), (2, 2))
    with pytest.raises(ValueError, match="shorter"):
        make_plan(in_channels=1, out_channels=1, groups=1, channels_last=False, lo=(0,), **words)


def test_an_image_is_empty_without_channels():
    words = dict.fromkeys(("size", "kernel", "stride", "dilation", "out"), (2,)) | {"lo": (0,), "groups": 1}
    for ins, outs in ((0, 1), (1, 0), (1, 1)):
        assert make_plan(in_channels=ins, out_channels=outs, channels_last=False, **words).is_empty == (ins * outs == 0)


def test_a_crop_in_the_words_of_an_op():
    """Sample by sample: what an op with one padding gives, grown and then cropped, is the output asked for."""
    for axes in GEOMETRIES:
        plan, remains = plan_of(axes), False
        for axis, (i, k, s, d, lo, out) in enumerate(axes):
            full, said = full_size(i, k, s, d), [values[axis] for values in plan.symmetric[:4]]
            padding, output_padding, grow, crop = said
            hi = full - lo - out
            assert padding >= 0 <= output_padding < max(s, d)
            assert min(grow + crop) >= 0
            samples = [o if o < full else None for o in range(padding, full - padding + output_padding)]
            samples = [None] * grow[0] + samples + [None] * grow[1]
            samples = samples[crop[0] : len(samples) - crop[1]]
            assert samples == [o if 0 <= o < full else None for o in range(lo, lo + out)], (i, k, s, d, lo, out)
            says = lo >= 0 and 0 <= lo - hi < max(s, d)
            assert says <= (grow == crop == (0, 0))
            assert (padding > 0) == (lo > 0 < hi) or says
            remains |= any(grow + crop)
        assert plan.symmetric.remains == remains


@pytest.mark.parametrize("axis", [0, 1])
def test_a_part_takes_what_reaches_it(axis):
    rng = np.random.default_rng(12)
    for axes in GEOMETRIES:
        i, k, s, d, lo, out = axes[axis]
        start, stop = sorted(map(int, rng.choice(out + 1, 2, replace=False))) if out else (0, 0)
        for channels_last in (False, True):
            whole = plan_of(axes, channels_last=channels_last)
            taken, inputs = part(whole, axis, start, stop)
            first = inputs.start
            assert taken.channels_last == channels_last
            assert taken.size[axis] == inputs.stop - first
            assert taken.out[axis] == stop - start
            expected = {(a, p, o) for a, p, o in meetings(*axes[axis]) if start <= o < stop}
            assert {(a, p + first, o + start) for a, p, o in counted(taken, axis)} == expected
            other = 1 - axis
            assert counted(taken, other) == counted(whole, other)
            assert taken.weight_shape == whole.weight_shape
            # Nothing that reaches no output of the part, but for what a dilation passes over.
            reach = [p for p in range(i) if p * s - lo < stop and p * s + d * (k - 1) - lo >= start]
            assert list(range(i)[inputs]) == reach
