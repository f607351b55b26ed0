"""array-api-strict at each version of the standard that it knows: every verb, from 2022.12 on."""

import warnings

import numpy as np
import pytest

import upconv

WORDS = {"stride": (2, 3), "padding": ((1, 0), (2, -1)), "groups": 2}


@pytest.mark.value
@pytest.mark.parametrize("version", ["2022.12", "2023.12", "2024.12"])
def test_every_version_of_the_standard(library, version):
    if library.name != "strict":
        pytest.skip(f"{library.name} is not array-api-strict")
    import array_api_strict as xp

    rng = np.random.default_rng(4)
    x, weight, bias = (rng.integers(-9, 9, shape) for shape in ((2, 4, 5, 7), (4, 3, 4, 5), (6,)))
    y, pullback = upconv.vjp(x, weight, bias, **WORDS)
    expected = (y, *pullback(y), upconv.as_matrix(weight, (4, 5, 7), **WORDS, dense=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the flags, that a version is not the newest
        with xp.ArrayAPIStrictFlags(api_version=version):
            arrays = [xp.asarray(a) for a in (x, weight, bias)]
            z, back = upconv.vjp(*arrays, **WORDS)
            found = (z, *back(z), upconv.as_matrix(arrays[1], (4, 5, 7), **WORDS))
            for ours, theirs in zip(found, expected, strict=True):
                assert type(ours) is type(arrays[0])
                np.testing.assert_array_equal(np.asarray(ours._array), theirs)
