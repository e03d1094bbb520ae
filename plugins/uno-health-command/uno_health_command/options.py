"""The options of the check `command`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from uno_core import Secret, option


@frozen(kw_only=True)
class CommandOptions:
    """What is run, and what it must exit with."""

    command: Sequence[str] = option(
        help="The command as a list of arguments; no shell reads it. With {host} or {port} it is run for "
        "every instance, otherwise once a slot; {env} and {slot} are blue or green, {version} and {app} "
        "the release and the application",
    )
    env: Mapping[str, str | Secret] = option(
        factory=dict,
        help="Variables beside those of uno itself; a value may be a secret, or hold placeholders",
    )
    working_directory: str = option(default="", help="Where it is run; uno's own folder by default")
    exit_code: int = option(default=0, ge=0, le=255, help="The exit code that is healthy")
