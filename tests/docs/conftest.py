"""The pages, and what stands in their fences."""

import re
from pathlib import Path

import pytest
from attrs import frozen

HERE = Path(__file__).parents[2]
PAGES = [
    path
    for path in (*sorted(HERE.glob("docs/**/*.md")), *sorted(HERE.glob("plugins/*/README.md")))
    if "_build" not in path.parts
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@frozen
class Example:
    """One fence of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def examples(language: str) -> list[Example]:
    found = []
    for path in PAGES:
        text = path.read_text("utf-8")
        for fence in FENCE.finditer(text):
            line = text[: fence.start()].count("\n") + 1
            if fence[1] == language:
                found.append(Example(str(path.relative_to(HERE)), line, fence[1], fence[2]))
    return found


def pytest_generate_tests(metafunc):
    """`yaml_example` and `python_example`: a test for each fence."""
    for language in ("yaml", "python"):
        if f"{language}_example" in metafunc.fixturenames:
            metafunc.parametrize(f"{language}_example", examples(language), ids=str)


@pytest.fixture(scope="session")
def page():
    return lambda name: (HERE / "docs" / f"{name}.md").read_text("utf-8")


@pytest.fixture(scope="session")
def fences():
    """The fences of one page and language, in order."""
    return lambda name, language: [e.text for e in examples(language) if e.page == f"docs/{name}.md"]


@pytest.fixture(scope="session")
def texts():
    """Every page by its name."""
    return {str(path.relative_to(HERE)): path.read_text("utf-8") for path in PAGES}
