"""A notifier that writes what it is told into a file, and fails in the ways that one can."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from attrs import frozen

from uno_core import Notice, Notifier, NotifierInfo, Secret, Services, UnoError, hookimpl, option, to_json


@frozen(kw_only=True)
class FiledOptions:
    """What it does."""

    path: Path = option(default=Path("told.jsonl"), help="the file")
    does: str = option(
        default="tell", choices=("tell", "fail", "exit", "hang", "refuse"), help="how it behaves"
    )
    secret: Secret | None = option(default=None, help="revealed when it is made")


class FiledNotifier(Notifier):
    """Tells a file."""

    def __init__(self, options: FiledOptions, services: Services) -> None:
        super().__init__(options, services)
        if options.secret is not None:
            services.secrets.reveal(options.secret)
        if options.does == "refuse":
            raise ValueError("not today")

    def notify(self, notice: Notice, timeout: float) -> None:
        del timeout
        does = self.options.does
        if does == "hang":
            threading.Event().wait()
        if does == "exit":
            raise SystemExit(1)
        if does == "fail":
            raise UnoError("nobody is there", remedy="wait")
        with self.options.path.open("a") as file:
            print(json.dumps(to_json(notice)), file=file)

    def close(self) -> None:
        if self.options.does == "tell":
            with self.options.path.open("a") as file:
                print(json.dumps({"kind": "closed"}), file=file)


def told(path: Path) -> list[dict[str, Any]]:
    """What was told so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@hookimpl
def uno_register_notifiers() -> list[NotifierInfo]:
    return [
        NotifierInfo(
            name="filed",
            summary="tells a file",
            load=lambda: FiledNotifier,
            options=lambda: FiledOptions,
        )
    ]
