"""What a configuration names, made of plugins: platform, world, health checks, metrics, journal.

Each part is made when it is first needed, so that `history` works where the platform does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import platformdirs
from attrs import define, evolve, field

from uno_core._log import get_logger
from uno_core.clock import Clock, SystemClock
from uno_core.config import sections
from uno_core.config.document import Choice as Section
from uno_core.config.document import Config
from uno_core.config.nodes import Scalar
from uno_core.config.secrets import SystemSecrets
from uno_core.contracts.engine import EngineInfo
from uno_core.contracts.health import HealthCheck, HealthCheckInfo
from uno_core.contracts.notifier import Notifier, NotifierInfo
from uno_core.contracts.platform import Capabilities, Platform, PlatformInfo
from uno_core.contracts.services import Logger, Services
from uno_core.contracts.state import StateStore, StateStoreInfo
from uno_core.effects.commands import System
from uno_core.effects.places import CheckInPlaces, Places, Vouched, composed, of_places
from uno_core.effects.unrouted import Unrouted, without_traffic
from uno_core.effects.world import Policy, World, only_unos
from uno_core.errors import ConfigError, Unsupported
from uno_core.gathering import Gathering
from uno_core.model import Slot
from uno_core.registry import Registry

PLATFORM = "platform"
"""The state store that the platform itself is."""


@define(slots=False)
class Assembly:
    """One application in one environment, as configured, with everything that it needs."""

    config: Config
    registry: Registry
    clock: Clock = field(factory=SystemClock)
    logger: Logger = field(factory=get_logger)
    _parts: dict[str, Any] = field(init=False, factory=dict)

    # What it is made of

    @cached_property
    def platform_info(self) -> PlatformInfo:
        """Raises ConfigError where no platform is named, or nobody registers it."""
        named = self.config.platform
        if named is None:
            installed = list(self.registry.infos(PlatformInfo))
            raise ConfigError(
                "no platform is named",
                expected="one of " + ", ".join(installed) if installed else "an installed platform",
                where=str(self.config.file or "the command line"),
                remedy="`platform: NAME` in the configuration, or --platform NAME",
            )
        return self.registry.find(PlatformInfo, named.name, where=named.where)

    @property
    def runs_on(self) -> str:
        """The platform or, where two make one world, both halves, for a person."""
        name = self.platform_info.name
        places = f"{name}, one for each slot" if self._places else name
        return f"{places}; traffic by {self.config.router.name}" if self.config.router else places

    @cached_property
    def platform_options(self) -> Any:
        config = self.config
        for key, flag in (("namespace", "--namespace"), ("adopt", "--adopt")):
            config = self._without(config, key, flag)
        return sections.platform_options(config, self.platform_info, self.registry)

    def _without(self, config: Config, key: str, flag: str) -> Config:
        """Without what a flag says of every platform, where this one knows no such thing."""
        platform = config.platform
        if platform is None or key not in platform.options.entries or platform.options.line(key) != flag:
            return config
        declared = self.registry.options(self.platform_info)
        if declared is None or key in {a.name for a in attrs.fields(declared)}:
            return config
        if key == "namespace":
            self.logger.warning("the platform has no namespaces: ignored", platform=platform.name)
        return evolve(config, platform=evolve(platform, options=platform.options.without(key)))

    @cached_property
    def state_dir(self) -> Path:
        """Where files of this machine lie: where the platform keeps its own, or the user's."""
        return (
            self.platform_info.state_dir(self.platform_options)
            or platformdirs.user_state_path("uno") / self.config.application.key
        )

    @cached_property
    def store_info(self) -> StateStoreInfo:
        """Raises ConfigError where nobody registers the state store that is named.

        `platform` is the one that is named as the platform: what it keeps lies in the platform itself.
        """
        section = self.config.state
        if section is not None and section.name == PLATFORM:
            return self._own_store(section.where)
        if section is None or "://" not in section.name:
            name = section.name if section and section.name else "file"
            return self.registry.find(StateStoreInfo, name, where=section.where if section else "")
        scheme = section.name.partition("://")[0]
        infos = self.registry.infos(StateStoreInfo).values()
        for info in infos:
            if scheme in info.schemes:
                return info
        known = sorted({s for info in infos for s in info.schemes})
        raise ConfigError(
            f"no state store answers for {scheme}://",
            found=f"{scheme}://…",  # the rest may hold a password
            expected="a URL of " + ", ".join(known) if known else "an installed state store",
            where=section.where,
            remedy=f"pip install uno-state-{scheme}",
        )

    def _own_store(self, where: str) -> StateStoreInfo:
        found = self.registry.infos(StateStoreInfo).get(self.platform_info.name)
        if found is None:
            raise ConfigError(
                f"the platform {self.platform_info.name} keeps no state", found=f"state: {PLATFORM}",
                expected="one of " + ", ".join(self.registry.infos(StateStoreInfo)), where=where,
                remedy="state: file, or one that other machines reach, such as postgresql://…",
            )  # fmt: skip
        return found

    @cached_property
    def store(self) -> StateStore:
        """Where journals, signals and leases live; not connected yet."""
        info, section = self.store_info, self.config.state or Section(name="file")
        self._check_outlives(info)
        if "://" in section.name:
            url = Scalar(text=section.name, where=section.where, plain=False)
            section = evolve(section, options=section.options.with_entry("url", url))
        options = sections.options(section.options, info, self.registry, "state")
        made: StateStore = self.registry.build(info, options, self.services)
        return made

    @cached_property
    def engine_info(self) -> EngineInfo:
        """Raises ConfigError where nobody registers the engine that is named."""
        section = self.config.engine or Section(name="embedded")
        return self.registry.find(EngineInfo, section.name, where=section.where)

    @cached_property
    def engine_options(self) -> Any:
        section = self.config.engine or Section(name="embedded")
        return sections.choice_options(section, self.engine_info, self.registry)

    def _check_outlives(self, info: StateStoreInfo) -> None:
        """A CI runner's disk dies with it; what it deployed elsewhere does not."""
        here = self.platform_info.state_dir(self.platform_options) is not None
        if info.remote or here or self.config.state is not None or not os.environ.get("CI"):
            return
        raise ConfigError(
            "the state would be kept on this CI runner, and be gone with it",
            found="no `state:` in the configuration, and CI is set",
            expected="a state store that outlives the runner",
            where=str(self.config.file or "the command line"),
            remedy="state: postgresql://…, or `state: file` where this disk stays",
        )

    @cached_property
    def services(self) -> Services:
        return Services(
            application=self.config.application,
            logger=self.logger,
            clock=self.clock,
            state_dir=self.state_dir,
            secrets=SystemSecrets(),
            platform_options=self._places.get(Slot.BLUE, self.platform_options),
            routed=self.config.routed,
        )

    @cached_property
    def platform(self) -> Platform[Any]:
        """The configured one; of two places the blue one's, which is asked for all that is not a slot's."""
        return self._built(self.services.platform_options)

    def _built(self, options: Any) -> Platform[Any]:
        services = evolve(self.services, platform_options=options)
        made: Platform[Any] = self.registry.build(self.platform_info, options, services)
        return made

    @cached_property
    def _places(self) -> Mapping[Slot, Any]:
        """The options of each slot's platform, where they are two."""
        sections.check_places(self.config, self.platform_info, self.registry)
        return sections.places(self.config, self.platform_info, self.registry)

    @cached_property
    def world(self) -> World:
        """Raises Unsupported where a half is missing."""
        capabilities = self._capable(self.platform, self.platform_info)
        platforms = [self.platform]
        workload = _half(self.platform.workload, self.platform_info, "a workload")
        if self._places:
            platforms.append(self._built(self._places[Slot.GREEN]))
            capable = [self._capable(one, self.platform_info) for one in platforms]
            workload = Places(dict(zip(Slot, platforms, strict=True)), dict(zip(Slot, capable, strict=True)))
            capabilities = of_places(*capable)
        router = self.platform.router if self.config.router is None and self.config.routed else None
        if (other := self.config.router) is not None:
            info = self.registry.find(PlatformInfo, other.name, where=other.where)
            options = sections.router_options(self.config, info, self.registry)
            beside: Platform[Any] = self.registry.build(info, options, self.services)
            router = beside.router
            platforms.append(beside)
            routing = self._capable(beside, info)
            if routing.vouches and router is not None:
                workload = Vouched(workload, router)
            capabilities = composed(capabilities, routing)
        settings = self.config.settings
        if not self.config.routed:
            router, capabilities = Unrouted(workload), without_traffic(capabilities)
        return World(
            application=self.config.application,
            workload=workload,
            router=_half(router, self.platform_info, "a router"),
            platforms=tuple(platforms),
            capabilities=capabilities,
            clock=self.clock,
            logger=self.logger,
            companions=self.platform.companions,
            commands=System(self.services.secrets, config_folder(self.config)),
            checks=self.check,
            look=self.gathering.look,
            before=self.gathering.before,
            policy=Policy(
                evidence=settings.evidence_timeout,
                asks=settings.on_no_evidence == "pause",
                rollback=settings.rollback_timeout,
                look_every=settings.look_every,
                health_timeout=settings.health_timeout,
                health_failures=settings.health_failures,
            ),
        )

    @staticmethod
    def _capable(platform: Platform[Any], info: PlatformInfo) -> Capabilities:
        with only_unos(platform, "capable"):
            return platform.capable() or info.capabilities

    # Evidence

    def check(self, url: str | None) -> HealthCheck | None:
        """The configured check, or the one that answers for the scheme of a URL."""
        section = self.config.health
        if url is None and section is None:
            return None
        key = f"health {url or ''}"
        if key not in self._parts:
            if url is not None:
                info = self._by_scheme(url)
                same = section is not None and section.name == info.name
                options = self._health_options(info, section if same else None, url)
            else:
                assert section is not None  # noqa: S101 - one of the two is there
                info = self.registry.find(HealthCheckInfo, section.name, where=section.where)
                options = sections.choice_options(section, info, self.registry)
            self._parts[key] = self._check_made(info, options)
        made: HealthCheck = self._parts[key]
        return made

    def _check_made(self, info: HealthCheckInfo, options: Any) -> HealthCheck:
        around = {slot: evolve(self.services, platform_options=one) for slot, one in self._places.items()}
        if not around:
            made: HealthCheck = self.registry.build(info, options, self.services)
            return made
        return CheckInPlaces({slot: self.registry.build(info, options, one) for slot, one in around.items()})

    def _by_scheme(self, url: str) -> HealthCheckInfo:
        scheme = url.partition("://")[0].lower()
        infos = self.registry.infos(HealthCheckInfo).values()
        for info in infos:
            if scheme in info.schemes:
                return info
        known = sorted({s for info in infos for s in info.schemes})
        raise ConfigError(
            f"no health check answers for {url}",
            found=f"the scheme {scheme}",
            expected="one of " + ", ".join(known) if known else "an installed health check",
            where="health_check_url",
            remedy="correct the URL, or install a plugin: pip install uno-health-http",
        )

    def _health_options(self, info: HealthCheckInfo, section: Section | None, url: str) -> Any:
        declared = self.registry.options(info)
        if declared is None:
            return {"url": url}
        given = sections.choice_options(section, info, self.registry) if section else None
        try:
            return evolve(given, url=url) if given is not None else declared(url=url)
        except ValueError as problem:
            raise ConfigError(str(problem), where="health_check_url") from problem

    @cached_property
    def gathering(self) -> Gathering:
        """The metric providers and judges, each made when it is first needed."""
        own = self.platform_info.metrics
        return Gathering(self.config, self.registry, self.services, own, self._places)

    def notifier(self, section: Section) -> Notifier:
        """One of those that `notify:` names. Raises ConfigError, and PluginError that names its plugin."""
        info = self.registry.find(NotifierInfo, section.name, where=section.where)
        options = sections.choice_options(section, info, self.registry)
        made: Notifier = self.registry.build(info, options, self.services)
        return made

    def close(self) -> None:
        """Let go of platforms and journal."""
        made = self.__dict__
        if "world" in made:
            for platform in self.world.platforms:
                platform.close()
        elif "platform" in made:
            self.platform.close()
        if "store" in made:
            self.store.close()


def config_folder(config: Config) -> Path | None:
    """The folder that relative commands are meant from; None where there is no file."""
    return config.file.absolute().parent if config.file else None


def _half(half: Any, info: PlatformInfo, what: str) -> Any:
    if half is None:
        raise Unsupported(
            f"the platform {info.name} has not {what}",
            remedy="name another platform for that half: `platform:` runs releases, `traffic:` routes",
        )
    return half
