"""The one logger. Only this module knows structlog, and imports it when the first line is written.

Human lines on a terminal, JSON with `json`. A secret that was revealed once appears in no line.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

if TYPE_CHECKING:
    from uno_core.contracts.services import Logger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
HIDDEN = "***"

_secrets: set[str] = set()
_settings: dict[str, Any] = {"format": "console", "level": "info", "stream": None}
_made: dict[str, Any] = {}


def redact(text: str) -> None:
    """Hide this text in every line from now on, each longer line of several by itself too.

    A text of one or two characters is not hidden: its replacement would spoil every line.
    """
    _secrets.update(part for part in (text, text.strip()) if len(part) > 2)
    _secrets.update(part.strip() for part in text.splitlines() if len(part.strip()) > 7)


def hide(value: Any) -> Any:
    """The value with every revealed secret in it, at any depth, replaced by `***`."""
    if not _secrets:
        return value
    if isinstance(value, str):
        # The longest first: a secret may be a part of another one.
        for secret in sorted(_secrets, key=len, reverse=True):
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {hide(key): hide(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [hide(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return HIDDEN if str(value) in _secrets else value
    told = f"{value} {value!r}"
    return value if hide(told) == told else hide(str(value))


def configure(
    format: Literal["console", "json"] = "console",
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Say how lines are written from now on, by loggers already handed out as well. Imports nothing.

    Without a stream, lines go to what stderr is when they are written.
    """
    _settings.update(format=format, level=level, stream=stream)
    _made.clear()


def _write(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return cast("MutableMapping[str, Any]", hide(dict(event)))


def _logger() -> Any:
    if "logger" not in _made:
        import structlog

        stream = _settings["stream"] or sys.stderr
        console = _settings["format"] == "console"
        processors: list[Any] = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
            # A traceback is made to text before secrets are looked for: it may hold one.
            structlog.processors.format_exc_info,
            _write,
            structlog.dev.ConsoleRenderer(colors=stream.isatty())
            if console
            else structlog.processors.JSONRenderer(default=str),
        ]
        _made["logger"] = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=processors,
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[_settings["level"]]),
            cache_logger_on_first_use=False,
        )
        _made["stream"] = stream
    elif _settings["stream"] is None and _made["stream"] is not sys.stderr:
        _made.clear()  # stderr was replaced: a live display or a test holds it now
        return _logger()
    return _made["logger"]


class _Lazy:
    """A logger that costs nothing until it writes."""

    def __init__(self, bound: Mapping[str, Any]) -> None:
        self._bound = dict(bound)

    def bind(self, **values: Any) -> Logger:
        return _Lazy({**self._bound, **values})

    def debug(self, event: str, **values: Any) -> Any:
        self._log("debug", event, values)

    def info(self, event: str, **values: Any) -> Any:
        self._log("info", event, values)

    def warning(self, event: str, **values: Any) -> Any:
        self._log("warning", event, values)

    def error(self, event: str, **values: Any) -> Any:
        self._log("error", event, values)

    def _log(self, level: str, event: str, values: Mapping[str, Any]) -> None:
        if LEVELS[level] >= LEVELS[_settings["level"]]:
            try:
                getattr(_logger(), level)(event, **{**self._bound, **values})
            except OSError:  # the terminal, or whoever read us, is gone: what is under way goes on
                return


def get_logger(**bound: Any) -> Logger:
    """A logger with these values on every line. Free: nothing is imported before the first line."""
    return _Lazy(bound)
