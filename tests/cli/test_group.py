"""The group: what it lists without importing, what it makes of plugins' commands, what starting imports."""

from __future__ import annotations

import sys

import click
import pytest

from uno_core.cli import group

HEAVY = ("attrs", "attr", "pluggy", "structlog", "cattrs", "yaml", "rich", "packaging", "platformdirs")
LOOK = """
import sys
from uno_core.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
loaded = {{name.partition('.')[0] for name in sys.modules}}
print('LOADED', *sorted(m for m in loaded if m in {heavy!r} or m.startswith('uno_') and m != 'uno_core'))
print('VERBS', *sorted(m for m in sys.modules if m.startswith('uno_core.cli.')))
"""


def looked(shop, *arguments):
    said = shop.python(LOOK.format(arguments=list(arguments), heavy=HEAVY))
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    return said, lines[-2].split()[1:], lines[-1].split()[1:]


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("-h",)])
def test_help_and_version_import_no_library_and_no_plugin(shop, arguments):
    _, loaded, modules = looked(shop, *arguments)
    assert loaded == []
    assert modules == ["uno_core.cli.failing", "uno_core.cli.group"]


def test_a_verb_imports_no_picture_and_no_other_verb(shop):
    _, loaded, modules = looked(shop, "history")
    assert not {"rich", "structlog"} & set(loaded)
    assert "uno_core.cli.past" in modules
    assert "uno_core.cli.deploying" not in modules


def test_every_verb_has_its_line_and_its_module():
    context = click.Context(group.uno)
    for name, verb in group.VERBS.items():
        command = group.uno.get_command(context, name)
        assert isinstance(command, click.Command), name
        assert command.name == name
        assert verb.help.endswith(".")
        assert command.help, name


def test_every_verb_explains_itself(shop):
    for name in group.VERBS:
        said = shop.uno(name, "--help")
        assert said.code == 0
        assert said.out.startswith(f"Usage: uno {name}")


def test_version(shop):
    import uno_core

    assert shop.uno("--version").out == f"uno {uno_core.__version__}\n"


def command(shop, name, source, value, distribution=None):
    distribution = distribution or f"uno-{name}"
    module = f"cli_test_{name.replace('-', '_')}"
    (shop.site / f"{module}.py").write_text(source)
    shop.install(distribution, f"[uno.commands]\n{name} = {module}:{value}\n")


GREETS = "import click\n@click.command()\ndef greet():\n    'Say hello.'\n    click.echo('hello')\n"


def test_a_command_of_a_plugin(shop):
    command(shop, "greet", GREETS, "greet")
    assert "greet" in shop.uno("--help").out
    assert "from uno-greet" in shop.uno("--help").out
    assert "cli_test_greet" not in sys.modules
    assert shop.uno("greet").out == "hello\n"


def test_a_command_that_fails_to_import_breaks_no_other(shop):
    command(shop, "sick", "import does_not_exist_anywhere\n", "sick")
    command(shop, "well", GREETS, "greet")
    assert "sick" in shop.uno("--help").out
    said = shop.uno("sick")
    assert said.code == 1
    assert "Error: the command sick cannot be used: its plugin is broken" in said.err
    assert "No module named 'does_not_exist_anywhere'" in said.err
    assert "uno-sick 1.0" in said.err
    assert "Traceback" not in said.err
    assert shop.uno("well").out == "hello\n"
    assert "Traceback" in shop.uno("--debug", "sick").err


def test_a_command_that_is_none(shop):
    command(shop, "odd", "odd = 3\n", "odd")
    said = shop.uno("odd")
    assert said.code == 1
    assert "cli_test_odd:odd is a int, and no click command" in said.err


def test_a_plugin_cannot_take_a_verb_of_ours(shop):
    command(shop, "history", GREETS, "greet", "uno-thief")
    assert "history@uno-thief" in shop.uno("--help").out
    assert shop.uno("history").out == "shop was never deployed in test\n"
    assert shop.uno("history@uno-thief").out == "hello\n"


@pytest.mark.parametrize("variable", [("UNO_NO_PLUGINS", "1"), ("UNO_DISABLE_PLUGINS", "uno-greet")])
def test_disabled_plugins_bring_no_command(shop, monkeypatch, variable):
    command(shop, "greet", GREETS, "greet")
    monkeypatch.setenv(*variable)
    assert "greet" not in shop.uno("--help").out
    assert shop.uno("greet").code == 2


def test_what_a_plugin_raises_is_told_as_uno_tells_it(shop):
    raises = "import click\n@click.command()\ndef bad():\n    {}\n"
    command(shop, "bug", raises.format("raise ValueError('mine')"), "bad")
    error = "from uno_core import NotReady; raise NotReady('no', remedy='wait')"
    command(shop, "known", raises.format(error), "bad")
    command(shop, "quits", raises.format("raise SystemExit(7)"), "bad")
    bug = shop.uno("bug")
    assert bug.code == 1
    assert "this is a bug in uno, or in a plugin: ValueError: mine" in bug.err
    assert "--debug" in bug.err
    assert "Traceback" not in bug.err
    assert "Traceback" in shop.uno("--debug", "bug").err
    known = shop.uno("known")
    assert (known.code, known.err) == (1, "Error: no\n  remedy    wait\n")
    assert shop.uno("quits").code == 7


def test_strategies_are_compared(shop):
    said = shop.uno("strategies")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("swap")]
    for words in ("tests", "few", "low", "immediate", "every one"):
        assert words in line
    found = {s["name"]: s for s in shop.uno("strategies", "--output", "json").json["strategies"]}
    assert found["swap"]["guide"]["rollback_speed"] == "immediate"
    assert found["swap"]["from"] == "uno-platform-filed 1.0"


def test_the_options_of_a_strategy(shop):
    said = shop.uno("strategies", "show", "swap")
    rows = {line.split()[0]: line for line in said.out.splitlines() if line and line[0] != " "}
    for words in ("percent", "50%", "greater than 0, at most 100", "the first share"):
        assert words in rows["share"]
    for words in ("duration", "10m", "how long instances may take"):
        assert words in rows["ready_timeout"]
    assert "true or false" in rows["gate"]
    options = shop.uno("strategies", "show", "swap", "--output", "json").json["options"]
    assert options[0] == {
        "name": "hold",
        "type": "duration",
        "default": "0s",
        "limits": "at least 0",
        "help": "how long the share is watched",
    }
    assert shop.uno("strategies", "show", "swop").code == 2


def test_plugins_are_told_whatever_they_are(shop):
    shop.install("uno-strategy-sick", "[uno]\nsick = does_not_exist_anywhere\n")
    shop.install("uno-twin", "[uno]\ntwin = filed_platform\n")
    said = shop.uno("plugins")
    assert said.code == 0
    assert "sick of uno-strategy-sick 1.0 is broken: ModuleNotFoundError" in said.out
    assert "remedy: pip install --force-reinstall uno-strategy-sick" in said.out
    assert "strategy.swap is ambiguous: uno-platform-filed 1.0 and uno-twin 1.0 provide it" in said.out
    document = shop.uno("plugins", "--output", "json").json
    found = {p["distribution"]: p for p in document["plugins"]}
    assert found["uno-twin"]["registrations"][0]["status"] == "ambiguous"
    used = shop.uno("deploy", "--version", "v2")
    assert used.code == 1
    assert "more than one plugin provides the strategy swap" in used.err


def test_plugins_from_metadata_alone(shop):
    said, loaded, _ = looked(shop, "plugins", "--metadata-only", "--output", "json")
    assert '"installed"' in said.out
    assert [name for name in loaded if name.startswith("uno_")] == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion(shop, shell):
    said = shop.uno("completion", shell)
    assert said.code == 0
    assert "_UNO_COMPLETE" in said.out


def test_completion_knows_verbs_and_options(shop, monkeypatch):
    monkeypatch.setenv("_UNO_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", "uno ro")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert "rollback" in shop.uno().out
    monkeypatch.setenv("COMP_WORDS", "uno deploy --rea")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert "--reason" in shop.uno().out
