"""What every plugin record and every plugin object has in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from uno_core.clock import Clock
from uno_core.model import Application, Secret


class Logger(Protocol):
    """The part of a structlog logger that plugins may rely on."""

    def debug(self, event: str, **values: Any) -> Any: ...
    def info(self, event: str, **values: Any) -> Any: ...
    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...
    def bind(self, **values: Any) -> Logger: ...


class Secrets(Protocol):
    """Resolves references to secrets at the moment of use."""

    def reveal(self, secret: Secret) -> str:
        """The secret's text. Raises ConfigError where the variable or file does not exist."""


@frozen(kw_only=True)
class Services:
    """What every plugin object but a strategy is handed. Grows without breaking plugins.

    `platform_options` are the options of the configured platform, for a provider that reads the
    same place; a plugin checks the type before it uses them. `routed`: the application has traffic.
    """

    application: Application
    logger: Logger
    clock: Clock
    state_dir: Path
    secrets: Secrets
    platform_options: Any = None
    routed: bool = True


@frozen(kw_only=True)
class Info:
    """What a plugin registers: cheap to make, imports nothing heavy.

    `load` imports the SDK and returns the class. `options` returns the attrs class of its options,
    from a module that imports no SDK; without it any mapping is taken and nothing can be checked.
    """

    name: str
    summary: str
    load: Callable[[], type[Any]]
    options: Callable[[], type[Any]] | None = None
