"""Fixtures for tests of plugins. Opt in by `pytest_plugins = ["uno_core.testing.fixtures"]`.

Each can be overridden in a test class, a module or a conftest, as any fixture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from uno_core.clock import Clock, SystemClock
from uno_core.contracts.services import Secrets, Services
from uno_core.errors import ConfigError
from uno_core.model import Application, Kind, Secret


@frozen
class RecordingLogger:
    """A logger that keeps what it was told: `(level, event, values)` in `lines`."""

    lines: list[tuple[str, str, Mapping[str, Any]]] = field(factory=list)
    bound: Mapping[str, Any] = field(factory=dict)

    def debug(self, event: str, **values: Any) -> None:
        self._keep("debug", event, values)

    def info(self, event: str, **values: Any) -> None:
        self._keep("info", event, values)

    def warning(self, event: str, **values: Any) -> None:
        self._keep("warning", event, values)

    def error(self, event: str, **values: Any) -> None:
        self._keep("error", event, values)

    def bind(self, **values: Any) -> RecordingLogger:
        return RecordingLogger(self.lines, {**self.bound, **values})

    def _keep(self, level: str, event: str, values: Mapping[str, Any]) -> None:
        self.lines.append((level, event, {**self.bound, **values}))


@frozen
class TableOfSecrets:
    """Secrets from a table: `Secret("TOKEN")` is what stands under `TOKEN`."""

    table: Mapping[str, str] = field(factory=dict)

    def reveal(self, secret: Secret) -> str:
        """The secret's text. Raises ConfigError where the table does not have it."""
        if secret.reference not in self.table:
            raise ConfigError("there is no such secret", found=secret.reference)
        return self.table[secret.reference]


@pytest.fixture
def application() -> Application:
    """The application that is deployed."""
    return Application(name="shop", environment="testing", kind=Kind.TESTING)


@pytest.fixture
def clock() -> Clock:
    """The time that plugins see: the machine's own, unless overridden."""
    return SystemClock()


@pytest.fixture
def logger() -> RecordingLogger:
    """What plugins log to."""
    return RecordingLogger()


@pytest.fixture
def secrets() -> Secrets:
    """The secrets that plugins may ask for: `Secret("TOKEN")`, unless overridden."""
    return TableOfSecrets({"TOKEN": "open-sesame"})


@pytest.fixture
def services(
    application: Application, clock: Clock, logger: RecordingLogger, secrets: Secrets, tmp_path: Path
) -> Services:
    """What a plugin's constructor is handed."""
    state = tmp_path / "state"
    state.mkdir()
    return Services(application=application, logger=logger, clock=clock, state_dir=state, secrets=secrets)
