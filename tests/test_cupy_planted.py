"""The tests of the CUDA text can fail: bugs that are planted in it are seen, every one."""

import pytest

from cuda_on_cpu.planted import BUGS, symptom


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_seen(bug, standin):
    for form in bug.forms:
        assert symptom(bug, form) is not None, form
