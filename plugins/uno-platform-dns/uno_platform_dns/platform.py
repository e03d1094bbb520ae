"""DNS: a name, and the given machines behind it where another platform does not run the releases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve

from uno_core import (
    Capabilities,
    Condition,
    ConfigError,
    Diagnosis,
    Forbidden,
    GivenOptions,
    GivenWorkload,
    Platform,
    Services,
    Slot,
    UnoError,
)
from uno_platform_dns.encoding import Encoding, Listed, Weighted
from uno_platform_dns.lock import TxtLock
from uno_platform_dns.members import NotedMembers
from uno_platform_dns.options import DnsOptions, Route53Options
from uno_platform_dns.router import DnsRouter, told
from uno_platform_dns.zone import Zone


class DnsPlatform(Platform[DnsOptions]):
    """Splits traffic by the records of one name.

    `make_zone` is the one thing that another provider has to override.
    """

    workload: GivenWorkload | None
    router: DnsRouter
    lock: TxtLock

    def __init__(self, options: DnsOptions, services: Services) -> None:
        super().__init__(options, services)
        self.zone = self.make_zone()
        self.router = DnsRouter(self.zone, self._encoding(), options.traffic, services)
        self.lock = TxtLock(self.zone, services.clock, options.traffic.record)
        if options.command or options.version_url:
            given = GivenOptions(
                targets=options.traffic.addresses, command=options.command, version_url=options.version_url,
                port=options.port,
            )  # fmt: skip
            self.workload = GivenWorkload(
                NotedMembers(self.router), given, instances=options.instances, healthy_looks=1,
                where="platform",
            )  # fmt: skip

    def make_zone(self) -> Zone:
        """The provider that is configured. Raises ConfigError where none is; does no I/O."""
        traffic = self.options.traffic
        if traffic.rfc2136:
            from uno_platform_dns.rfc2136 import Rfc2136Zone

            return Rfc2136Zone(traffic.rfc2136, self.services)
        if traffic.route53:
            from uno_platform_dns.route53 import Route53Zone

            return Route53Zone(traffic.route53, self.services)
        raise ConfigError(
            "it is not said who answers for the name", expected="traffic.rfc2136 or traffic.route53",
            where="traffic", remedy="name the server that takes updates, or the hosted zone",
        )  # fmt: skip

    def _encoding(self) -> Encoding:
        traffic = self.options.traffic
        if not traffic.record:
            raise ConfigError(
                "the name that clients ask for is not told", expected="traffic.record: shop.example.com",
                where="traffic",
            )  # fmt: skip
        if self.zone.weights:
            known = traffic.route53 or Route53Options(zone="")  # another provider's sets are named alike
            return Weighted(traffic=traffic, route53=known, greatest=self.zone.weights)
        if not traffic.addresses:
            raise ConfigError(
                "it is not told where the name leads", where="traffic",
                expected="traffic.addresses: {blue: […], green: […]}",
            )  # fmt: skip
        return Listed(traffic=traffic, fit=self._fit, running=self.options.instances)

    def _fit(self, slot: Slot) -> Sequence[str]:
        """The addresses of a slot that may be named: of given machines those that run; if none does, all.

        Where nothing runs the name has to lead somewhere all the same: nobody knows better.
        """
        every = self.options.traffic.addresses[slot.value]
        if self.workload is None:
            return every
        state = self.workload.observe().slots[slot]
        ready = {one.host for one in state.instances if one.ready}
        return [one for one in every if one in ready] or every

    # The contract

    def capable(self) -> Capabilities:
        return evolve(self.router.capabilities, steps=self.workload is not None)

    def prepare(self) -> None:
        if self.workload is not None:
            self.workload.check()
        held = self.router.read()
        if held.note.at is None:
            # Later it is told by what is seen and written: nothing that somebody adds may block a way back.
            self.router.check(held)

    def remarks(self) -> Sequence[str]:
        return list(self.router.remarks())

    def diagnose(self) -> Iterable[Diagnosis]:
        found = list(self.zone.diagnose())
        yield from found
        if any(one.condition is Condition.ERROR for one in found):
            return
        try:
            held = self.router.read()
            self.router.encoding.check(held.every)
        except UnoError as problem:
            yield Diagnosis.error(
                "record", f"{problem.message} ({problem.found})",
                problem.remedy or f"look at {self.options.traffic.record}",
                forbidden=isinstance(problem, Forbidden),
            )  # fmt: skip
            return
        yield Diagnosis.ok("record", f"{self.options.traffic.record}: {told(held.sets)}")

    def close(self) -> None:
        if self.workload is not None:
            self.workload.close()
        self.zone.close()
