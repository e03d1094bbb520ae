"""The group `uno`: its verbs and those of plugins, listed without importing any of them."""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import click
from click.shell_completion import CompletionItem

import uno_core
from uno_core import _log
from uno_core.cli.failing import Terminated, Terms, fail

if TYPE_CHECKING:
    from uno_core.entrypoints import Entry


class Verb(NamedTuple):
    """Where a verb is defined, and its one line of help: what `--help` shows without importing it."""

    home: str
    help: str


VERBS: Mapping[str, Verb] = {
    "init": Verb("initiating:init", "Look around, and write a configuration that works."),
    "validate": Verb("validating:validate", "Check the configuration, and say all that is wrong with it."),
    "plan": Verb("planning:plan", "Show what a deployment would do; touch nothing."),
    "deploy": Verb("deploying:deploy", "Take the application to a release, or back when that fails."),
    "status": Verb("standing:status", "Show what serves now, and the deployment that is under way."),
    "history": Verb("past:history", "List the deployments of the application, the newest first."),
    "show": Verb("past:show", "Show the journal of one deployment: every call, and what came of it."),
    "promote": Verb("signalling:promote", "Let the deployment that waits at a gate go on."),
    "pause": Verb("signalling:pause", "Hold the deployment that is under way before its next effect."),
    "resume": Verb("resuming:resume", "Go on with a deployment that is held, or that its driver left."),
    "abort": Verb("signalling:abort", "Stop the deployment that is under way, and take the traffic back."),
    "rollback": Verb("deploying:rollback", "Take the last deployment back to what served before it."),
    "tend": Verb("resuming:tend", "Go on with what nobody drives, or take it back; for a timer."),
    "adopt": Verb("adopting:adopt", "Take over what was there before uno, without deploying anything."),
    "unlock": Verb("unlocking:unlock", "Explain who holds the lease of the application, and free it."),
    "doctor": Verb("doctoring:doctor", "Say what is right and wrong here, and how to mend it; only looks."),
    "strategies": Verb("choosing:strategies", "Compare the strategies, and show their options."),
    "plugins": Verb("installed:plugins", "Show every plugin: what became of it, why, and how to mend it."),
    "schema": Verb("schema:schema", "Print the JSON Schema of uno.yaml, for editors."),
    "completion": Verb("completing:completion", "Print the completion script of a shell."),
}


class Group(click.Group):
    """Verbs by the table above, those of plugins by their metadata."""

    verbs: ClassVar[Mapping[str, Verb]] = VERBS

    def foreign(self) -> Mapping[str, Entry]:
        """The commands that plugins bring. A name that is a verb's own stands as `NAME@DISTRIBUTION`."""
        from uno_core.entrypoints import commands, disabled

        return {
            f"{name}@{entry.distribution}" if name in self.verbs else name: entry
            for name, entry in commands().items()
            if not disabled(entry, os.environ)
        }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*self.verbs, *self.foreign()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if verb := self.verbs.get(cmd_name):
            module, _, name = verb.home.partition(":")
            made: click.Command = getattr(importlib.import_module(f"uno_core.cli.{module}"), name)
            return made
        entry = self.foreign().get(cmd_name)
        return _load(entry) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for one that does not exist."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            ctx.fail(f"there is no command {name}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])
        if foreign := self.foreign():
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, f"from {e.distribution}") for name, e in foreign.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names by the table: click's own would import every verb for its help."""
        found = [
            CompletionItem(name, help=self.verbs[name].help if name in self.verbs else None)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)


def _load(entry: Entry) -> click.Command:
    """Import a plugin's command. Raises PluginError that names it; every other command still works."""
    try:
        command = entry.load()
    except (Exception, SystemExit) as problem:
        raise _broken(entry, f"{type(problem).__name__}: {problem}".rstrip(": ")) from problem
    if not isinstance(command, click.Command):
        raise _broken(entry, f"{entry.value} is a {type(command).__name__}, and no click command")
    return command


def _broken(entry: Entry, found: str) -> Exception:
    from uno_core.errors import PluginError

    return PluginError(
        f"the command {entry.name} cannot be used: its plugin is broken",
        found=found,
        where=f"{entry.distribution} {entry.version}",
        remedy=f"pip install --force-reinstall {entry.distribution}, "
        f"or UNO_DISABLE_PLUGINS={entry.distribution}; --debug shows where it was raised",
    )


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"uno {uno_core.__version__}")
        ctx.exit()


def _show_tracebacks(ctx: click.Context, _: click.Parameter, asked: bool) -> bool:
    # Already now: a plugin's command may fail to import before the group itself is called.
    ctx.ensure_object(Terms).debug |= asked
    return asked


@click.command(
    cls=Group,
    name="uno",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 the release serves, 1 failed, 2 usage or configuration, 3 rolled back, "
    "4 rollback failed, 5 locked, 6 at a gate (--no-wait), 7 drift or an unsettled world, "
    "8 stopped waiting, 9 not permitted, 10 there are changes (plan --detailed-exitcode), "
    "130 and 143 interrupted, resumable.",
)
@click.option(
    "--log-format", type=click.Choice(["console", "json"]), default="console", help="Form of the log."
)
@click.option("--log-level", type=click.Choice(list(_log.LEVELS)), default="info", help="What is logged.")
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    callback=_show_tracebacks,
    help="Show tracebacks, and log everything.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show uno's version.",
)
def uno(log_format: Any, log_level: str, debug: bool) -> None:
    """Move an application from one version to the next without hurting the people who use it."""
    _log.configure(log_format, "debug" if debug else log_level)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code is returned. Whatever goes wrong is told on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # no arrow may end a deployment in C locales
    if instruction := os.environ.get("_UNO_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(uno, {}, "uno", "_UNO_COMPLETE", instruction)
    terms = Terms()
    try:
        with _terminating(), uno.make_context("uno", list(arguments), obj=terms) as ctx:
            uno.invoke(ctx)
            sys.stdout.flush()
    except click.exceptions.Exit as end:
        return _flushed(end.exit_code)
    except BaseException as problem:  # noqa: BLE001 - the last place that can tell it
        return fail(problem, terms)
    return 0


def _flushed(code: int) -> int:
    """Write what is left; a reader that went away changes nothing about how the command ended."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code


@contextmanager
def _terminating() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C does, so that nothing is left open."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread: somebody else's process, who handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
