"""The local platform: both halves, and the wait for a change of either."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from uno_core import Diagnosis, Platform, Services
from uno_platform_local.companions import LocalCompanions
from uno_platform_local.daemon import Settings, prepare
from uno_platform_local.diagnosing import diagnose
from uno_platform_local.files import stamp
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions
from uno_platform_local.router import LocalRouter
from uno_platform_local.workload import LocalWorkload

POLL = 0.03


class LocalPlatform(Platform[LocalOptions]):
    """Processes of this machine in two slots, and the Envoy before them."""

    workload: LocalWorkload
    router: LocalRouter

    def __init__(self, options: LocalOptions, services: Services) -> None:
        super().__init__(options, services)
        self.layout = Layout.of(options.root)
        self.workload = LocalWorkload(options, services)
        self.router = LocalRouter(options, services)
        if options.companions:
            self.companions = LocalCompanions(options, services)

    def prepare(self) -> None:
        settings = settings_of(self.options, self.services.application.key)
        prepare(self.layout, settings if self.services.routed else evolve(settings, listen=""))

    def diagnose(self) -> Sequence[Diagnosis]:
        services = self.services
        listen = self.options.traffic.listen if services.routed else ""
        return list(diagnose(self.layout, services.application.key, listen))

    def wait_for_change(self, timeout: float) -> None:
        """Return when the agent reported or the routes changed.

        `clock.sleep` asks its `wake` five times a second only, so short sleeps are strung together.
        """
        clock = self.services.clock
        watched = (self.layout.status, self.layout.routes)
        before = [stamp(path) for path in watched]
        end = clock.monotonic() + timeout
        while (left := end - clock.monotonic()) > 0 and [stamp(path) for path in watched] == before:
            clock.sleep(min(left, POLL))


def settings_of(options: LocalOptions, application: str) -> Settings:
    return Settings(
        application=application,
        listen=options.traffic.listen,
        timeout=options.traffic.timeout,
        slot_hosts=options.traffic.slot_hosts,
        instances=options.instances,
        drain=options.drain,
        drain_timeout=options.drain_timeout,
        log_size=options.log_size,
        log_backups=options.log_backups,
    )
