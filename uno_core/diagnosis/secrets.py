"""The secrets that are configured: whether each is there. What they say is never told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs

from uno_core.config import sections
from uno_core.config.checking import LISTED
from uno_core.config.document import Choice
from uno_core.contracts.diagnosis import Diagnosis
from uno_core.contracts.health import HealthCheckInfo
from uno_core.contracts.judge import JudgeInfo
from uno_core.contracts.metrics import MetricProviderInfo
from uno_core.contracts.services import Info
from uno_core.diagnosis.probing import told
from uno_core.errors import UnoError
from uno_core.model import Secret
from uno_core.registry import Registry
from uno_core.session import Session


def secrets(session: Session) -> Iterator[Diagnosis]:
    """A finding for each secret; options that cannot be made are told by the probe of their part."""
    for where, make in _sources(session):
        try:
            options = make()
        except UnoError:
            continue
        for secret in dict.fromkeys(_within(options)):
            about = f"secret of {where}"
            try:
                session.services.secrets.reveal(secret)
            except UnoError as problem:
                yield from (one.diagnosis for one in told(about, problem))
            else:
                yield Diagnosis.ok(about, f"{secret.reference} is there")


def _sources(session: Session) -> Iterator[tuple[str, Callable[[], Any]]]:
    config, registry = session.config, session.registry
    yield "platform", lambda: session.platform_options
    yield "hooks", lambda: config.settings.hooks
    if (state := config.state) is not None:
        yield "state", lambda: sections.store_options(state, session.store_info, registry)
    named: tuple[tuple[str, type[Info], Choice | None], ...] = (
        ("health", HealthCheckInfo, config.health),
        ("metrics", MetricProviderInfo, config.metrics),
        ("judge", JudgeInfo, config.judge),
        *((key, kind, one) for key, kind in LISTED.items() for one in getattr(config, key) or ()),
    )
    for where, kind, choice in named:
        if choice is not None:
            yield where, partial(_of_choice, choice, kind, registry)
    yield "strategy", lambda: sections.strategy_options(config, session.choose().info, registry)


def _of_choice(choice: Choice, kind: type[Info], registry: Registry) -> Any:
    return sections.choice_options(choice, registry.find(kind, choice.name), registry)


def _within(value: Any) -> Iterator[Secret]:
    """Every secret in options, however deep."""
    if isinstance(value, Secret):
        yield value
    elif attrs.has(type(value)):
        for attribute in attrs.fields(type(value)):
            yield from _within(getattr(value, attribute.name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _within(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _within(one)
