"""The README's examples run."""

import re
from pathlib import Path

import pytest

BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parent.parent / "README.md").read_text(), re.DOTALL)


def library_of(block):
    return re.match(r"(?:# (\w+))?", block)[1] or "numpy"


@pytest.mark.parametrize("block", BLOCKS, ids=library_of)
def test_example(block, library):
    if library_of(block) != library.name:
        pytest.skip(f"runs in the session of {library_of(block)}")
    exec(compile(block, "README.md", "exec"), {})


def test_every_library_has_an_example(library):
    assert library.name in map(library_of, BLOCKS)


def test_local_links_lead_somewhere():
    root = Path(__file__).parent.parent
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (root / "README.md").read_text())
    assert links
    assert not [link for link in links if not (root / link).exists()]
