"""Ten thousand files with something wrong in them: each loads, or says clearly why not. `nox -s mutate`."""

from __future__ import annotations

import json
import os
from collections import Counter

import mutating
import pytest
from click.testing import CliRunner

from uno_core import ConfigError
from uno_core.cli.failing import Terms
from uno_core.cli.group import uno
from uno_core.config.load import load
from uno_core.registry import Registry

MANY = int(os.environ.get("UNO_MUTATIONS", "250"))
FIRST = int(os.environ.get("UNO_SEED", "1"))


@pytest.fixture
def runner(monkeypatch, tmp_path):
    registry = Registry.discover()
    monkeypatch.setattr(
        Registry, "discover", lambda choices=None, **_: Registry(registry.plugins, choices or {})
    )
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def test_whatever_is_in_the_file_it_loads_or_says_clearly_why_not(runner, tmp_path):
    file, ends = tmp_path / "uno.yaml", Counter()
    for seed in range(FIRST, FIRST + MANY):
        file.write_bytes(mutating.mutated(seed))
        ends[looked_at(runner, seed)] += 1
        ends[loaded(seed)] += 1
    print(dict(ends))
    assert ends["refused"] > MANY / 4, "they are mutated enough to be refused"
    assert ends["accepted"] > MANY / 200, "and not so much that nothing is left of them"


def looked_at(runner: CliRunner, seed: int) -> str:
    done = runner.invoke(uno, ["validate", "--output", "json"], obj=Terms())
    crashed = done.exception is not None and not isinstance(done.exception, SystemExit)
    assert not crashed, f"seed {seed}: {done.exception!r}"
    assert done.exit_code in (0, 2), f"seed {seed}: {done.exit_code}"
    assert "Traceback" not in done.output, f"seed {seed}"
    mistakes = json.loads(done.stdout)["mistakes"]
    assert bool(mistakes) == (done.exit_code == 2), f"seed {seed}"
    for mistake in mistakes:
        clear = mistake["message"] and mistake["where"] and (mistake["expected"] or mistake["remedy"])
        assert clear, f"seed {seed}: {mistake}"
    return "refused" if mistakes else "accepted"


def loaded(seed: int) -> str:
    try:
        load(environment="prod")
    except ConfigError as error:
        for one in getattr(error, "errors", (error,)):
            assert one.message, seed
            assert one.where, (seed, one)
            assert one.expected or one.remedy, (seed, one)
        return "not loaded"
    return "loaded"
