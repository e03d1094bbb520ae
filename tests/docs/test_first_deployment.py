"""The first deployment is carried out as it is written, in one shell, with a real proxy."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.component("envoy")

END = "@@ended"


class Shell:
    """A bash that is told one block after the other. Its own process group: all of it ends with it."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "COLUMNS": "200"},
            start_new_session=True,
        )

    def run(self, block: str) -> tuple[int, str]:
        """Exit code of the block's last command, and what was printed."""
        self._process.stdin.write(f"{block}\necho {END} $?\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.startswith(END):
                return int(line.split()[1]), "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended: {''.join(lines)}")

    def close(self) -> None:
        self._process.stdin.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.stdout.close()
        self._process.wait()


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
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    told = {}
    for part in parts:
        title = part.splitlines()[0]
        for block in re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL):
            # `uno deploy` may be followed by a look at what answers: each line by itself then.
            steps = [block] if "<<'EOF'" in block else block.strip().splitlines()
            told.setdefault(title, []).extend((step, *shell.run(step)) for step in steps)

    def of(title: str, begin: str) -> tuple[int, str]:
        return next((code, out) for step, code, out in told[title] if step.startswith(begin))

    bad = [row for rows in told.values() for row in rows if row[1] and "--version v3" not in row[0]]
    assert not bad

    _, plan = of("Look first", "uno plan")
    shown = next(block for block in re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    for line in shown.splitlines():
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
    assert last_line(out) == "hello-prod-3 rolled_back: v1 serves again: error_rate: 100.00%, above 1.00%"
    assert of("A bad release", "curl") == (0, "hello from v1\n")
    _, history = of("A bad release", "uno history")
    shown = re.findall(r"^hello-prod-\d +v\d +\w+ +\w+", text, re.MULTILINE)
    assert [row.split() for row in shown] == [row.split()[:4] for row in history.splitlines()[1:]]
    assert "step: 20 % to v3" in of("A bad release", "uno show")[1]

    assert last_line(of("The end", "uno local down")[1]) == "everything is stopped"
