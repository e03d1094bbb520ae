from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from uno_core import ConfigError, Secret, _log
from uno_core.config.secrets import SystemSecrets


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(_log, "_secrets", set())
    yield
    _log.configure()


def written(stream: io.StringIO) -> dict[str, object]:
    return json.loads(stream.getvalue().splitlines()[-1])


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path):
    (tmp_path / "token").write_text("from-a-file\n")
    secrets = SystemSecrets({"TOKEN": "from-the-environment"})
    assert secrets.reveal(Secret("${TOKEN}")) == "from-the-environment"
    assert secrets.reveal(Secret(f"file:{tmp_path / 'token'}")) == "from-a-file"


def test_the_environment_is_that_of_the_moment(monkeypatch):
    secrets = SystemSecrets()
    monkeypatch.setenv("UNO_TEST_TOKEN", "later")
    assert secrets.reveal(Secret("${UNO_TEST_TOKEN}")) == "later"


@pytest.mark.parametrize("reference", ["${NOT_THERE}", "${EMPTY}", "file:/not/there", "hunter2"])
def test_a_secret_that_is_not_there_says_what_to_do(reference):
    with pytest.raises(ConfigError) as caught:
        SystemSecrets({"EMPTY": ""}).reveal(Secret(reference))
    assert caught.value.remedy
    assert "hunter2" not in str(caught.value)


def test_an_empty_file_is_no_secret(tmp_path):
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        SystemSecrets().reveal(Secret(f"file:{tmp_path / 'token'}"))


def test_a_revealed_secret_appears_in_no_line_at_any_depth():
    stream = io.StringIO()
    _log.configure("json", "debug", stream)
    SystemSecrets({"TOKEN": "hunter2"}).reveal(Secret("${TOKEN}"))
    logger = _log.get_logger(url="https://hunter2@host").bind(step="hunter2")
    cause = ValueError("hunter2")
    logger.error(
        "with hunter2", deep={"hunter2": [("hunter2", {"x": "a hunter2 b"})]}, cause=cause, exc_info=cause
    )
    assert "hunter2" not in stream.getvalue()
    line = written(stream)
    assert line["event"] == "with ***"
    assert line["deep"] == {"***": [["***", {"x": "a *** b"}]]}
    assert "ValueError: ***" in str(line["exception"])


def test_numbers_and_lines_of_a_secret_are_hidden_too():
    stream = io.StringIO()
    _log.configure("json", "info", stream)
    _log.redact("12345678")
    _log.redact("-----BEGIN KEY-----\nabcdefghij\n-----END KEY-----")
    _log.get_logger().info("key", pin=12345678, line="abcdefghij")
    assert (written(stream)["pin"], written(stream)["line"]) == ("***", "***")


def test_a_secret_within_a_secret_leaves_nothing_behind():
    for text in ("abc", "abcdef"):
        _log.redact(text)
    assert _log.hide("abcdef abc") == "*** ***"


def test_tiny_texts_are_not_hidden():
    _log.redact("a")
    assert _log.hide("banana") == "banana"


def test_what_is_bound_stands_on_every_line():
    stream = io.StringIO()
    _log.configure("json", "info", stream)
    _log.get_logger(deployment="shop-prod-1").bind(step="switch").info("done", percent=25)
    line = written(stream)
    assert (line["deployment"], line["step"], line["percent"], line["level"]) == (
        "shop-prod-1", "switch", 25, "info",
    )  # fmt: skip


def test_the_level_holds_for_loggers_already_handed_out():
    stream = io.StringIO()
    logger = _log.get_logger()
    _log.configure("json", "warning", stream)
    logger.info("quiet")
    assert stream.getvalue() == ""
    logger.warning("loud")
    assert written(stream)["event"] == "loud"


def test_lines_are_for_people_by_default(capsys):
    _log.configure()
    _log.get_logger(step="switch").info("the split is in force", percent=25)
    told = capsys.readouterr().err
    assert "the split is in force" in told
    assert "percent=25" in told
    assert "\x1b" not in told


def test_a_logger_costs_nothing_before_its_first_line():
    code = (
        "import sys; from uno_core._log import configure, get_logger; configure('json', 'warning');"
        "get_logger(a=1).bind(b=2).info('unseen'); print('structlog' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
