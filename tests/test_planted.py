"""The table of planted faults is up to date; `nox -s mutants` plants them."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import upconv
from planted import FAULTS

PACKAGE = Path(upconv.__file__).parent


@pytest.fixture(autouse=True)
def once(library):
    if library.name != "numpy":
        pytest.skip("one table for all libraries: read in the session of numpy")


def test_each_fault_is_another():
    most = Counter(fault[1:] for fault in FAULTS).most_common(1)
    assert most[0][1] == 1, most
    assert Counter((fault.library, fault.file, fault.breaks) for fault in FAULTS).most_common(1)[0][1] == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.file}: {fault.breaks}")
def test_a_fault_can_be_planted(fault):
    text = fault.plant(PACKAGE)
    assert ast.dump(ast.parse(text)) != ast.dump(ast.parse((PACKAGE / fault.file).read_text()))
    assert Path(__file__).with_name(fault.tests.split()[0]).is_file()
