"""The first deployment is carried out as it is written, in one shell, with a real proxy."""

import re
import socket
import subprocess
import sys

import pytest
from shell import Shell, shown, steps

pytestmark = pytest.mark.component("envoy")


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def shell(tmp_path):
    made = Shell(tmp_path)
    yield made
    made.close()
    down = [sys.executable, "-m", "uno_core", "local", "down"]
    subprocess.run(down, cwd=tmp_path, check=True, capture_output=True)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_the_first_deployment(page, port, shell):
    text = page("first-deployment").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    told = {}
    for title, step in steps(text):
        told.setdefault(title, []).append((step, *shell.run(step)))

    def of(title: str, begin: str) -> tuple[int, str]:
        return next((code, out) for step, code, out in told[title] if step.startswith(begin))

    bad = [row for rows in told.values() for row in rows if row[1] and "--version v3" not in row[0]]
    assert not bad

    _, plan = of("Look first", "uno plan")
    for line in shown(text)[0].splitlines():
        if "+" not in line and "at least" not in line:  # durations differ from machine to machine
            assert line in plan

    _, out = of("v1", "uno deploy")
    assert last_line(out) == "hello-prod-1 successful: v1 is the first release to serve"
    assert of("v1", "curl") == (0, "hello from v1\n")
    assert "v1 serves (blue 100 %, green 0 %)" in of("v1", "uno status")[1]
    assert "blue   2 of v1, 2 ready" in of("v1", "uno status")[1]

    _, out = of("v2, as a canary", "uno deploy")
    assert last_line(out) == "hello-prod-2 successful: v2 serves from green"
    assert "traffic: blue 80 %, green 20 %" in out
    assert "PASS: error_rate: 0.00% is within bounds" in out
    assert of("v2, as a canary", "curl") == (0, "hello from v2\n")

    assert of("Back by hand", "curl") == (0, "hello from v1\n")

    code, out = of("A bad release", "uno deploy")
    assert code == 3
    assert last_line(out).startswith("hello-prod-3 rolled_back: v1 serves again: ")
    assert "100.00%" in last_line(out)
    assert of("A bad release", "curl") == (0, "hello from v1\n")
    _, history = of("A bad release", "uno history")
    listed = re.findall(r"^hello-prod-\d +v\d +\w+ +\w+", text, re.MULTILINE)
    assert [row.split() for row in listed] == [row.split()[:4] for row in history.splitlines()[1:]]
    assert "step: 20 % to v3" in of("A bad release", "uno show")[1]

    assert last_line(of("The end", "uno local down")[1]) == "everything is stopped"


def test_ten_minutes(page, port, shell):
    text = page("ten-minutes").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    printed, bad = {}, []
    for title, step in steps(text):
        code, out = shell.run(step)
        printed.setdefault(title, []).extend(out.splitlines())
        if code:
            bad.append((title, step, code, out))
    assert not bad
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        title = part.splitlines()[0]
        rows = iter(printed.get(title, ()))
        for line in "".join(shown(part)).splitlines():
            # What a page shows is a choice of what is printed, in its order; an ellipsis is any rest.
            words = line.removesuffix("…").split()
            assert any(" ".join(words) in " ".join(row.split()) for row in rows), f"{title}: {line}"
    assert printed["The end"][-1] == "everything is stopped"
