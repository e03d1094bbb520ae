"""What is installed: Python, uno, and what became of every plugin."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence

import uno_core
from uno_core.contracts.diagnosis import Diagnosis
from uno_core.diagnosis.probing import Found
from uno_core.discovery import Claim, PluginReport, PluginStatus
from uno_core.registry import Registry

OLDEST = (3, 11)


def installation(registry: Registry) -> Sequence[Found]:
    """Needs no configuration, and nothing that could hang."""
    return [Found(one) for one in (*_python(), *_plugins(registry))]


def _python() -> Iterator[Diagnosis]:
    version = platform.python_version()
    told = f"{version} on {platform.system()} {platform.machine()}, {sys.executable}"
    if sys.version_info < OLDEST:
        yield Diagnosis.error("python", told, "install Python 3.11 or later, and uno with it")
    else:
        yield Diagnosis.ok("python", told)
    yield Diagnosis.ok("uno-core", uno_core.__version__)


def _plugins(registry: Registry) -> Iterator[Diagnosis]:
    for plugin in registry.plugins:
        yield _plugin(plugin)
        yield from _disputed(plugin)


def _plugin(plugin: PluginReport) -> Diagnosis:
    about = f"plugin {plugin.name}"
    if plugin.status is PluginStatus.ACTIVE:
        names = ", ".join(f"{c.kind.words} {c.name}" for c in plugin.registrations)
        return Diagnosis.ok(about, f"{plugin}: {names or 'registers nothing'}")
    told = f"{plugin} is {plugin.status}: {plugin.reason}"
    if plugin.status is PluginStatus.DISABLED:
        return Diagnosis.ok(about, told)  # somebody wanted it so
    return Diagnosis.error(about, told, plugin.remedy)


def _disputed(plugin: PluginReport) -> Iterator[Diagnosis]:
    """Names that another plugin claims too: an error only once one is used, which the configuration tells."""
    for claim in plugin.registrations:
        if claim.status is Claim.AMBIGUOUS:
            yield Diagnosis.warning(
                f"plugin {plugin.name}",
                f"{claim.key} is claimed by another plugin too: whoever uses the name is refused",
                f"choose one in the configuration: plugins: {{{claim.key}: {plugin.distribution}}}",
            )
