"""GitHub Actions: annotations, groups, outputs, and the summary of the job.

A runner takes commands from stdout and stderr alike, and uno shows there what platforms say. So from
the first notice to the end of the process commands are switched off, and on for one line of our own.
"""

from __future__ import annotations

import atexit
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from uno_core import Notice, NoticeKind, Status
from uno_notify_ci.options import CiOptions
from uno_notify_ci.quoting import clean, data, markdown, property_
from uno_notify_ci.saying import say

_LEVELS: Mapping[NoticeKind, str] = {
    NoticeKind.PAUSED: "notice",
    NoticeKind.WARNING: "warning",
    NoticeKind.ROLLING_BACK: "warning",
    NoticeKind.REFUSED: "error",
}
MOST_STEPS = 200
"""Lines of the summary's list; a summary may have 1 MiB."""


class GitHub:
    """Speaks to a runner of GitHub Actions."""

    def __init__(self, options: CiOptions, at_exit: Callable[[Callable[[], None]], object]) -> None:
        self._options = options
        self._at_exit = at_exit
        self._token = ""
        self._open = False
        self._steps: list[str] = []

    def notify(self, notice: Notice) -> None:
        """Raises OSError where a file of the runner cannot be written."""
        if notice.kind in (NoticeKind.STARTED, NoticeKind.RESUMED):
            self._steps.clear()
        if notice.kind in (NoticeKind.STEP, NoticeKind.TRAFFIC, NoticeKind.VERDICT, NoticeKind.WARNING):
            self._steps.append(f"{notice.kind.value}: {notice.message}")
        lines: list[str] = []
        if self._options.groups:
            lines += self._group(notice)
        if self._options.annotations and (level := _level(notice)):
            title = property_(clean(f"uno: {notice.application} in {notice.environment}"))
            lines.append(f"::{level} title={title}::{data(clean(_sentence(notice), lines=True))}")
        self._command(lines)
        if notice.kind.last:
            self._end(notice)

    def _group(self, notice: Notice) -> list[str]:
        lines: list[str] = []
        begins = notice.kind in (NoticeKind.STEP, NoticeKind.ROLLING_BACK)
        if self._open and (begins or notice.kind.last or notice.kind is NoticeKind.PROMOTED):
            self._open = False
            lines.append("::endgroup::")
        if begins:
            self._open = True
            way = "going back: " if notice.kind is NoticeKind.ROLLING_BACK else ""
            lines.append(f"::group::{data(clean(way + notice.message))}")
        return lines

    def _command(self, lines: list[str]) -> None:
        """Commands on, ours, commands off again: in one piece, under a new secret word each time."""
        on = [f"::{self._token}::"] if self._token else []
        first, self._token = not self._token, secrets.token_hex(16)
        say("\n".join([*on, *lines, f"::stop-commands::{self._token}"]) + "\n")
        if first:
            # Not earlier: how it ended is still to be printed, with what platforms said in it.
            self._at_exit(self._on_again)

    def _on_again(self) -> None:
        token, self._token = self._token, ""
        try:
            say(f"::{token}::\n")
        except OSError:
            pass  # nobody reads the log any more

    def _end(self, notice: Notice) -> None:
        if self._options.outputs and (path := os.environ.get("GITHUB_OUTPUT")):
            _append(path, "".join(_output(name, text) for name, text in _facts(notice).items()))
        if self._options.summary and (path := os.environ.get("GITHUB_STEP_SUMMARY")):
            _append(path, self._summary(notice))

    def _summary(self, notice: Notice) -> str:
        rows = {
            "application": f"{notice.application} in {notice.environment}",
            "version": notice.version,
            "before": notice.previous,
            "strategy": notice.strategy,
            "deployment": notice.deployment,
            "status": notice.status.value if notice.status else notice.kind.value,
            "exit code": "" if notice.exit_code is None else str(notice.exit_code),
            "reason": notice.reason,
            "message": notice.message,
        }
        title = f"{notice.application}: {notice.version} {rows['status'].replace('_', ' ')}"
        lines = [f"### {markdown(clean(title))}", "", "| | |", "| --- | --- |"]
        lines += [f"| {name} | {markdown(text)} |" for name, text in rows.items() if text]
        if self._steps:
            shown = self._steps[-MOST_STEPS:]
            lines += ["", "<details><summary>what happened</summary>", ""]
            lines += [f"1. {markdown(clean(step))}" for step in shown]
            lines += ["", "</details>"]
        return "\n".join([*lines, "", ""])


def _facts(notice: Notice) -> Mapping[str, str]:
    return {
        "status": notice.status.value if notice.status else notice.kind.value,
        "exit_code": "" if notice.exit_code is None else str(notice.exit_code),
        "version": clean(notice.version),
        "previous": clean(notice.previous),
        "deployment": clean(notice.deployment),
    }


def _output(name: str, text: str) -> str:
    # With a word that nobody can guess for its end, no text can add an output of its own.
    end = f"uno_{secrets.token_hex(16)}"
    return f"{name}<<{end}\n{text}\n{end}\n"


def _append(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)


def _level(notice: Notice) -> str:
    """How grave it is; empty where nobody need look."""
    if notice.kind is NoticeKind.FINISHED:
        return "notice" if notice.status is Status.SUCCESSFUL or notice.exit_code == 0 else "error"
    if notice.kind is NoticeKind.LEFT:
        return "notice" if notice.status is Status.PAUSED else "warning"
    return _LEVELS.get(notice.kind, "")


def _sentence(notice: Notice) -> str:
    how = notice.status.value if notice.status else notice.kind.value
    return f"{notice.version} {how.replace('_', ' ')}: {notice.message}".strip()


def make(options: CiOptions) -> GitHub:
    """One that switches commands on again when the process ends."""
    return GitHub(options, atexit.register)
