"""`uno doctor` looks at the journal and where it lies, and writes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from doctored import about, looked, only


def state_of(shop) -> Path:
    return Path(shop.root / "state")


@pytest.fixture
def kept(ill):
    """A journal in a folder of its own, with a deployment in it."""
    shop = ill(more="state: {name: file, directory: state}")
    assert shop.uno("deploy", "--version", "v1").code == 0
    return shop


def test_the_folder_of_the_state_has_to_be_private(kept):
    code, findings = looked(kept)
    assert code == 0
    assert about(findings, "state")[0]["found"].endswith("is writable, and private")
    state_of(kept).chmod(0o755)
    code, findings = looked(kept)
    assert code == 0
    one = about(findings, "state")[0]
    assert one["condition"] == "warning"
    assert one["remedy"] == f"chmod 700 {state_of(kept)}"


@pytest.mark.parametrize("left", [100_000_000, 1_000_000])
def test_a_disk_that_fills_up(kept, monkeypatch, left):
    import shutil

    usage = shutil.disk_usage(kept.root)._replace(free=left)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    code, findings = looked(kept)
    assert code == (left < 20_000_000)
    assert only(findings, "disk")["condition"] == ("error" if code else "warning")


def test_a_state_that_cannot_be_written(kept, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != state_of(kept) and real(path, mode))
    code, findings = looked(kept)
    assert code == 1
    assert "is not writable for this user" in about(findings, "state")[0]["found"]


def test_a_journal_that_is_none(kept):
    (state_of(kept) / "journal.db").write_bytes(b"this is no database, but long enough to look like one")
    code, findings = looked(kept)
    assert code == 1
    assert [one["condition"] for one in about(findings, "state")].count("error") == 1


def test_nothing_is_written(kept):
    def everything():
        return {
            path.relative_to(kept.root): path.read_bytes()
            for path in kept.root.rglob("*")
            if path.is_file() and not path.name.endswith(("-shm", "-wal"))
        }

    before = everything()
    assert kept.uno("doctor").code == 0
    assert everything() == before


def test_before_the_first_deployment_nothing_is_made(ill):
    shop = ill(more="state: {name: file, directory: state}")
    assert shop.uno("doctor").code == 0
    assert sorted(path.name for path in shop.root.iterdir()) == ["uno.yaml"]
