"""Every public function has a docstring whose example runs."""

import doctest

import pytest

import upconv

pytestmark = pytest.mark.usefixtures("once")
PUBLIC = [getattr(upconv, name) for name in upconv.__all__ if not name.startswith("_")]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_example(public):
    pytest.importorskip("numpy")
    if public is upconv.diagram:
        pytest.importorskip("matplotlib")
    if public in (upconv.as_matrix, upconv.linear_operator):
        pytest.importorskip("scipy")
    assert public.__doc__
    if isinstance(public, type):
        return
    tests = [test for test in doctest.DocTestFinder(recurse=False).find(public) if test.examples]
    assert tests, f"{public.__name__} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    for test in tests:
        assert runner.run(test).failed == 0
