"""One run of a command for one target."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from uno_core import ConfigError, Probe, Secret, Services, Target
from uno_health_command.options import CommandOptions
from uno_health_command.run import run


class CommandCheck:
    """Runs the command once, and leaves nothing of it running."""

    def __init__(self, options: CommandOptions, services: Services) -> None:
        """Keep both; do no I/O. Raises ConfigError for a command without a single word."""
        if not options.command or not options.command[0]:
            raise ConfigError(
                "the health check command has nothing to run",
                found=repr(list(options.command)),
                expected='a list of arguments, ["./check.sh", "{slot}"] for instance',
            )
        self._options = options
        self._services = services

    @property
    def per_instance(self) -> bool:
        values = [v for v in self._options.env.values() if isinstance(v, str)]
        return any("{host}" in text or "{port}" in text for text in (*self._options.command, *values))

    def check(self, target: Target, timeout: float) -> Probe:
        """One run. Raises ConfigError where it could not be started: nothing is known of any health then."""
        options = self._options
        arguments = [target.fill(argument) for argument in options.command]
        secrets: list[str] = []
        directory = target.fill(options.working_directory) or None
        try:
            ended = run(arguments, self._environment(target, secrets), directory, timeout)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigError(
                f"the health check command cannot run {arguments[0]}: {said.lower()}",
                where=directory or "",
                remedy="give the program's full path, and see that it may be executed",
            ) from error
        text = ended.output
        for secret in secrets:
            text = text.replace(secret, "***")
        said = f": {text}" if text else ""
        if ended.code is None:
            return Probe(
                target=str(target),
                healthy=False,
                answer=f"{arguments[0]} timed out after {timeout:g} s{said}",
            )
        healthy = ended.code == options.exit_code
        expected = "" if healthy else f", expected {options.exit_code}"
        return Probe(
            target=str(target),
            healthy=healthy,
            answer=f"{arguments[0]} {_ending(ended.code)}{expected}{said}",
        )

    def _environment(self, target: Target, secrets: list[str]) -> Mapping[str, str]:
        environment = dict(os.environ)
        for name, value in self._options.env.items():
            if isinstance(value, Secret):
                environment[name] = self._services.secrets.reveal(value)
                # Line by line and without blanks, as it may appear in the output.
                secrets += [line.strip() for line in environment[name].splitlines() if line.strip()]
            else:
                environment[name] = target.fill(value)
        return environment


def _ending(code: int) -> str:
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
