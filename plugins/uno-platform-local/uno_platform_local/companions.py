"""Companions: programs of the same release beside the slots, each under a supervisor of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from uno_core import CompanionState, ConfigError, Json, PlatformError, Release, Services, Slot
from uno_platform_local.daemon import Settings, prepare
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions
from uno_platform_local.workload import LocalWorkload

FOLDER = "companions"
"""Where each has its root, below the application's."""


def roots(layout: Layout) -> Sequence[Layout]:
    """The roots of the companions that were ever started here."""
    return [Layout.of(path) for path in sorted((layout.root / FOLDER).glob("*")) if path.is_dir()]


class LocalCompanions:
    """Each is an application without traffic: its instances are replaced in place."""

    def __init__(self, options: LocalOptions, services: Services) -> None:
        self._options = options
        self._services = evolve(services, routed=False)

    def _workload(self, name: str) -> LocalWorkload:
        declared = self._options.companions.get(name)
        if declared is None:
            raise ConfigError(
                f"there is no companion {name}",
                expected="one of " + ", ".join(self._options.companions),
                where="companions",
                remedy=f"describe it: platform: {{companions: {{{name}: {{command: […]}}}}}}",
            )
        o = self._options
        root = Layout.of(o.root).root
        below: dict[str, Any] = {
            field: str(root / text)
            for field in ("artifact", "env_file", "working_directory")
            if (text := getattr(o, field)) is not None
        }
        below.setdefault("working_directory", below.get("artifact", str(root)))
        return LocalWorkload(
            evolve(
                o,
                root=root / FOLDER / name,
                command=declared.command,
                instances=declared.instances,
                env={**o.env, **declared.env},
                readiness=declared.readiness,
                grace=declared.grace,
                companions={},
                **below,
            ),
            self._services,
        )

    def observe(self, name: str) -> CompanionState:
        state = self._workload(name).observe()
        slot = state.slots[Slot.BLUE]
        releases = list(slot.wanted)
        ready = slot.holds(slot.wanted)
        reason = "" if ready else slot.unready() or "its instances are being replaced"
        captured = state.captured
        return CompanionState(
            release=releases[0] if releases else None,
            ready=ready,
            reason=reason,
            given_up=any(i.given_up and i.release in slot.wanted for i in slot.instances),
            captured=captured,
        )

    def update(self, name: str, release: Release) -> None:
        workload = self._workload(name)
        own = workload.resolve(Release(release.version))
        self._prepare(name, workload)
        workload.converge(Slot.BLUE, {own: workload.options.instances})

    def restore(self, name: str, captured: Json) -> None:
        workload = self._workload(name)
        if not isinstance(captured, dict):
            raise PlatformError("that was not captured by this platform", found=str(captured)[:200])
        self._prepare(name, workload)
        workload.restore(captured, Slot.BLUE)

    def _prepare(self, name: str, workload: LocalWorkload) -> None:
        o = workload.options
        prepare(
            workload.layout,
            Settings(
                application=f"{self._services.application.key}/{name}",
                listen="",
                timeout=o.traffic.timeout,
                slot_hosts=None,
                instances=o.instances,
                drain=o.drain,
                drain_timeout=o.drain_timeout,
                log_size=o.log_size,
                log_backups=o.log_backups,
            ),
        )
