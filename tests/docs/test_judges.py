"""The commands of the page on the judge say what stands there, to the letter: their numbers are seeded."""

import random
import re
import shlex
import subprocess
import sys

import pytest

BLOCK = re.compile(r"^```console\n\$ (uno (?:power|replay) [^\n|]*)\n(.+?)^```$", re.MULTILINE | re.DOTALL)


def history():
    """Six hours of the old release: one error in a thousand, and in a tenth of the windows twenty more."""
    rng = random.Random(11)
    yield "start,end,canary_requests,canary_errors,stable_requests,stable_errors"
    for k in range(2160):
        bad = sum(rng.random() < 0.001 for _ in range(500))
        bad += 20 if rng.random() < 0.1 else 0
        yield f"{10 * k},{10 * k + 10},0,0,500,{bad}"


@pytest.fixture
def folder(fences, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (table,) = fences("judges", "csv")
    (tmp_path / "canary.csv").write_text(table)
    (tmp_path / "history.csv").write_text("\n".join(history()) + "\n")


@pytest.mark.parametrize("number", range(3), ids=["power", "replay", "split"])
def test_what_is_shown_is_what_is_said(page, folder, number):
    blocks = BLOCK.findall(page("judges"))
    assert len(blocks) == 3
    command, shown = blocks[number]
    called = [sys.executable, "-m", "uno_core", *shlex.split(command)[1:]]
    told = subprocess.run(called, check=False, capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (0, shown, "")
