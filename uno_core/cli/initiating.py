"""`uno init`: a configuration for what is in this folder, with its reasons beside it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from uno_core.beginning import Draft, begin, check, look, pick, sketches, write
from uno_core.beginning.starts import arguments
from uno_core.cli import printing
from uno_core.cli.opening import debug
from uno_core.config.load import DEFAULT_FILE, NAME
from uno_core.contracts.beginning import Sketch, Surroundings
from uno_core.errors import ConfigError
from uno_core.registry import Registry

STDOUT = Path("-")


@click.command()
@click.option("--app-name", default="", metavar="NAME", help="The application; by default as its folder.")
@click.option(
    "--environment", default="prod", show_default=True, metavar="NAME", help="Where it is deployed."
)
@click.option("--platform", default="", metavar="NAME", help="What it runs on.")
@click.option("--strategy", default="", metavar="NAME", help="By default as its kind of environment has it.")
@click.option(
    "--command", default="", metavar="COMMAND", help="What starts an instance: 'python3 app.py {port}'."
)
@click.option("--image", default="", metavar="IMAGE", help="Its image, without a tag.")
@click.option("--listen", default="", metavar="HOST:PORT", help="Where clients shall connect.")
@click.option("--health", default="", metavar="PATH", help="What says that an instance is well: /health.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_FILE,
    show_default=True,
    metavar="FILE",
    help="Where it is written; - only shows it.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@debug
def init(platform: str, strategy: str, output: Path, force: bool, **said: str) -> None:
    """Look around, and write a configuration that works, with the reasons beside it.

    On a terminal it asks for the little that it cannot see; elsewhere the options say it. Nothing is
    deployed, and no file is overwritten without --force.
    """
    shown = output == STDOUT
    if not shown:
        check(output, force=force)
    registry = Registry.discover()
    around = look(Path.cwd() if shown else output.absolute().parent)
    around = _told(around, said)
    if sys.stdin.isatty() and sys.stderr.isatty():
        platform, around = _ask(registry, around, platform, said)
    else:
        around = _as_running(around, sketches(registry, around), platform, said)
    draft = begin(registry, around, platform=platform, strategy=strategy)
    if shown:
        printing.out(draft.text.rstrip("\n"))
        return
    write(output, draft.text, force=force)
    _close(draft, output)


def _told(around: Surroundings, said: dict[str, str]) -> Surroundings:
    """What the options say, over what was seen. Raises ConfigError for a name that cannot be one."""
    for flag, text in (("--app-name", said["app_name"]), ("--environment", said["environment"])):
        if text and not NAME.fullmatch(text):
            raise ConfigError(
                f"{flag} is not what it has to be",
                found=text,
                expected="a name of at most 63 letters, digits, dots, dashes and underscores",
                where=flag,
                remedy="it stands in the names of files and objects: choose one without other characters",
            )
    values: dict[str, Any] = {
        "application": said["app_name"],
        "environment": said["environment"],
        "command": arguments(said["command"]) if said["command"].strip() else (),
        "image": said["image"],
        "listen": said["listen"],
        "health": _path(said["health"]),
    }
    return evolve(around, **{name: value for name, value in values.items() if value})


def _path(text: str) -> str:
    return text if not text or text.startswith("/") else f"/{text}"


def _as_running(around: Surroundings, made: Any, platform: str, said: dict[str, str]) -> Surroundings:
    """Under the name that it runs here by already, unless another one is given."""
    sketch: Sketch | None = made.get(platform or pick(made))
    if sketch is not None and sketch.running and not said["app_name"]:
        return evolve(around, application=sketch.running)
    return around


def _ask(
    registry: Registry, around: Surroundings, platform: str, said: dict[str, str]
) -> tuple[str, Surroundings]:
    """What was not given by an option; what was seen is the default."""
    made = sketches(registry, around)
    platform = platform or pick(made)
    if not platform and made:
        platform = _prompt("Platform", next(iter(made)), type=click.Choice(list(made)))
    around = _as_running(around, made, platform, said)
    if not said["app_name"]:
        around = evolve(
            around, application=_prompt("Name of the application", around.application, value_proc=_name)
        )
    needs = made[platform].needs if platform in made else ()
    if "command" in needs and not said["command"]:
        seen = " ".join(map(_quoted, around.command)) or None
        words = _prompt("Command that starts an instance, {port} for its port", seen)
        around = evolve(around, command=arguments(words))
    if "image" in needs and not said["image"]:
        around = evolve(around, image=_prompt("Image, without a tag", around.image or None))
    if platform in made and made[platform].instance_url and not said["health"]:
        health = _prompt("Path that says whether an instance is well (- for none)", around.health or "-")
        around = evolve(around, health="" if health.strip() == "-" else _path(health.strip()))
    return platform, around


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w{}./:=-]+", word) else shlex.quote(word)


def _prompt(text: str, default: str | None, **more: Any) -> str:
    # On stderr, so that stdout stays the file's where it is asked for there.
    answer: str = click.prompt(text, default=default, err=True, **more)
    return answer


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise click.UsageError("letters, digits, dots, dashes and underscores, 63 at most")
    return text


def _close(draft: Draft, output: Path) -> None:
    printing.out(
        f"{output} is written: {draft.application} on {draft.platform}, by {draft.strategy.info.name}"
        f" ({draft.strategy.why})"
    )
    file = "" if output == DEFAULT_FILE else f" --config-file {output}"
    steps = (
        *draft.next,
        f"look at it first: uno plan{file} --version VERSION",
        f"deploy it: uno deploy{file} --version VERSION",
    )
    printing.out("next:")
    for step in steps:
        printing.out(f"  {step}")
