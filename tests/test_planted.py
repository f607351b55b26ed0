"""The table of planted faults is up to date; `nox -s mutants` plants them."""

import ast
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

import upconv
from planted import FAULTS, Fault

PACKAGE = Path(upconv.__file__).parent


@pytest.fixture(autouse=True)
def once(library):
    if library.name != "numpy":
        pytest.skip("one table for all libraries: read in the session of numpy")


def test_each_fault_can_be_planted():
    for fault in FAULTS:
        ast.parse(fault.plant(PACKAGE))
        assert fault.broken != fault.sound, fault


def test_each_fault_names_tests_that_are_there():
    for fault in FAULTS:
        name, *words = shlex.split(fault.tests)
        text = Path(__file__).with_name(name).read_text()  # of -k the first word is of a test's name, not of a case's
        assert not words or re.search(rf"^def test_\w*{words[1].split()[0]}", text, re.MULTILINE), fault


def test_each_fault_is_another():
    for kind in (lambda fault: fault[1:], lambda fault: (fault.library, fault.file, fault.breaks, fault.tests)):
        (most,) = Counter(map(kind, FAULTS)).most_common(1)
        assert most[1] == 1, most


def test_a_text_that_is_gone_is_an_error():
    fault = Fault("nothing", "numpy", "test_plan.py", "_plan.py", "the plan has no such line", "")
    with pytest.raises(ValueError, match=r"nothing: its text stands 0 times in _plan.py, and 1 are meant"):
        fault.plant(PACKAGE)
