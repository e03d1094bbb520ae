"""What a deployment would be made of: strategy, options, release, read and checked, nothing touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import define, field, frozen

from uno_core.assembly import Assembly, config_folder
from uno_core.config import sections
from uno_core.config.document import Hooks
from uno_core.config.mistakes import nearest
from uno_core.contracts.engine import Order
from uno_core.contracts.metrics import Assuring
from uno_core.contracts.services import Info
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo
from uno_core.effects.world import only_unos
from uno_core.errors import ConfigError
from uno_core.journal.origin import origin
from uno_core.model import Bounds, Json, Release, Secret
from uno_core.planning import Agreed, Choice, Plan, basis, choose
from uno_core.wire import to_json


@frozen(kw_only=True)
class Target:
    """What a deployment would be made of: all of it read and checked, nothing touched."""

    choice: Choice
    strategy: DeploymentStrategy[Any]
    options: Any
    release: Release
    hooks: Mapping[str, Mapping[str, Json]] = field(factory=dict)
    forbid_after: str = ""
    companions: Sequence[str] = ()


@define(slots=False)
class Targeting(Assembly):
    """One application in one environment, and what could be deployed there."""

    def target(self, plan: Agreed | None = None) -> Target:
        """Everything that a deployment needs, read and checked. Raises ConfigError and PluginError.

        plan: names the version where nothing else does.
        """
        wanted = self.config.release
        version = wanted.version or (plan.version if plan else "")
        if not version:
            raise ConfigError(
                "no version is named",
                where=str(self.config.file or "the command line"),
                remedy="--version VERSION, or `release: {version: …}` in the configuration",
            )
        choice = self.choose()
        options = sections.strategy_options(self.config, choice.info, self.registry)
        self._check_thresholds(choice.info, options)
        for url in urls(options):
            self.check(url)
        self.check(None)
        strategy = self.registry.strategy(choice.info, options, self.logger)
        release = self.world.workload.resolve(Release(version, wanted.image))
        settings = self.config.settings
        if settings.require_digest and self._by_tag_alone(release):
            raise ConfigError(
                "the image is known by its tag alone, and a tag can be moved",
                found=wanted.image,
                expected="an image with its digest: repository@sha256:…",
                where=self.config.where("require_digest") or "require_digest",
                remedy="name the digest (--image REPOSITORY@sha256:…), or a registry that tells it",
            )
        self._check_hooks(settings.hooks)
        self._check_companions(settings.companions)
        return Target(
            choice=choice,
            strategy=strategy,
            options=options,
            release=release,
            hooks=hooks(settings.hooks),
            forbid_after=settings.rollback.forbid_after or "",
            companions=settings.companions,
        )

    def _by_tag_alone(self, release: Release) -> bool:
        """Whether an image is to be deployed whose digest nobody knows."""
        return bool(self.config.release.image) and "sha256:" not in release.artifact

    def _check_hooks(self, declared: Hooks) -> None:
        """A command that is not there is found before anything is touched, and not in the middle."""
        folder = config_folder(self.config) or Path.cwd()
        for phase, hook in attrs.asdict(declared, recurse=False).items():
            program = hook.run[0] if hook is not None else ""
            if program and shutil.which(str(folder / program) if "/" in program else program) is None:
                raise ConfigError(
                    f"the command of the hook {phase} cannot be started",
                    found=program,
                    expected=f"an executable file, from {folder}" if "/" in program else "a program on PATH",
                    where=self.config.where(f"hooks.{phase}") or f"hooks.{phase}",
                    remedy="write it there, or mend its name; `chmod +x` makes a file executable",
                )

    def _check_companions(self, names: Sequence[str]) -> None:
        """One that does not exist is found before anything is touched."""
        if names and self.platform.companions is None:
            raise ConfigError(
                f"the platform {self.platform_info.name} has no companions",
                found=", ".join(names),
                where=self.config.where("companions"),
                remedy="take `companions` out, or deploy them as applications of their own",
            )
        for name in names:
            self.platform.companions.observe(name)  # type: ignore[union-attr]  # checked above

    def choose(self) -> Choice:
        """The strategy, and why it is this one."""
        infos = dict(self.registry.infos(StrategyInfo))
        self._check_sections(list(infos))
        asked = self.config.strategy
        where = self.config.where("strategy")
        if asked:
            infos[asked] = self.registry.find(StrategyInfo, asked, where=where)
        judged = (
            not asked
            and bool(self.gathering.providers)
            and any(
                thresholds(sections.strategy_options(self.config, info, self.registry))
                for info in infos.values()
                if "weights" in info.needs
            )
        )
        return choose(
            infos,
            asked=asked,
            asked_where=where,
            application=self.config.application,
            capabilities=self.world.capabilities,
            evidence=judged,
        )

    def _check_sections(self, installed: Sequence[str]) -> None:
        """A misspelt name under `strategies` would silently drop the options that stand below it."""
        for name in self.config.strategies:
            if name not in installed and name != self.config.strategy and (near := nearest(name, installed)):
                raise ConfigError(
                    f"there is no strategy {name}",
                    found=f"strategies.{name}",
                    expected="one of " + ", ".join(installed),
                    where=self.config.where(f"strategies.{name}"),
                    remedy=near,
                )

    def _check_thresholds(self, info: StrategyInfo, options: Any) -> None:
        """What cannot be measured, or by whom it is to be judged, is found before anything is touched."""
        gathering, measuring = self.gathering, {}
        for bounds in thresholds(options):
            for metric, one in bounds.items():
                by = gathering.measures(metric, one, f"strategies.{info.name}.metrics_threshold")
                measuring[by.key] = by.provider
            if bounds:
                _ = gathering.judge
        for provider in measuring.values():
            if isinstance(provider, Assuring):
                with only_unos(provider, "assure"):
                    provider.assure()
        _ = gathering.comparing

    def warnings(self, target: Target) -> Iterator[str]:
        """What a person should know before this is deployed, though nothing forbids it."""
        compared = self.gathering.compared()
        if compared:
            yield compared
        elif not any(thresholds(target.options)) and not self.gathering.compares:
            yield "no metric is looked at: waits are timed, and only health is watched"
        if self.config.health is None and not list(urls(target.options)):
            yield "no health check is configured: an instance counts as healthy when it is ready"
        if target.choice.info.outage:
            yield "an outage: the old release stops before the new one starts"
        if self._by_tag_alone(target.release):
            yield f"{self.config.release.image} is deployed by its tag: what is behind that may change"
        yield from self.remarks()
        if target.forbid_after:
            yield f"once {target.forbid_after} has begun nothing is taken back: it holds and calls a person"

    def remarks(self) -> Iterator[str]:
        """What the platforms say of how it would be done there."""
        told: dict[str, None] = {}
        for platform in self.world.platforms:
            with only_unos(platform, "remarks"):
                told |= dict.fromkeys(platform.remarks())
        yield from told  # two places may say the same

    def foreseen(self, plan: Plan) -> Sequence[str]:
        """What would be caught on the way that a plan describes, in words; empty where nobody can say."""
        snapshot = self.world.observe()
        live = snapshot.live
        if live is None or not plan.changes:
            return ()
        steps = [(at, split.get(live.other, 0.0)) for at, split in plan.split]
        steps = [(at, share) for at, share in steps if share]
        if not steps:
            return ()
        ends = [*(at for at, _ in steps[1:]), plan.seconds]
        watched = sorted(end - at for (at, _), end in zip(steps, ends, strict=True))
        version = next((release.version for release in snapshot.slot(live).releases), "")
        shares = [share for _, share in steps]
        return self.gathering.foreseen(live, version, shares, watched[len(watched) // 2])

    def _basis(self, target: Target) -> Mapping[str, Json]:
        return basis(
            application=self.config.application,
            release=target.release,
            strategy=target.choice.info.name,
            options=written(target.options),
            beside=beside(target),
            plugins=self._plugins(target.choice.info),
        )

    def _order(self, target: Target, reason: str) -> Order:
        return Order(
            application=self.config.application,
            release=target.release,
            strategy_name=target.choice.info.name,
            strategy=target.strategy,
            options=target.options,
            written=written(target.options),
            outage=target.choice.info.outage,
            plugins=self._plugins(target.choice.info),
            reason=reason,
            origin=origin(config_folder(self.config)),
            **beside(target),
        )

    def _plugins(self, strategy: StrategyInfo) -> Mapping[str, str]:
        infos: list[Info] = [strategy, self.platform_info]
        infos += [provided.info for provided in self.gathering.providers]
        versions = {info.name: self.registry.provider(info) for info in infos}
        # Of a strategy its very code counts: a resume asks it again what it asked before.
        return {**versions, f"code of {strategy.name}": self.registry.code(strategy)}


def beside(target: Target) -> Mapping[str, Any]:
    """What goes beside the strategy, as an order takes it."""
    return {"hooks": target.hooks, "forbid_after": target.forbid_after, "companions": target.companions}


def hooks(declared: Hooks) -> Mapping[str, Mapping[str, Json]]:
    """The configured hooks as JSON: of a secret only its reference."""
    return {
        phase: {
            "run": list(hook.run),
            "timeout": hook.timeout,
            "on_failure": hook.on_failure,
            "env": {name: text for name, text in hook.env.items() if isinstance(text, str)},
            "secrets": {name: s.reference for name, s in hook.env.items() if isinstance(s, Secret)},
        }
        for phase, hook in attrs.asdict(declared, recurse=False).items()
        if hook is not None
    }


def written(options: Any) -> Mapping[str, Json]:
    """The options of a strategy as JSON, for the journal."""
    written: Json = to_json(options) if attrs.has(type(options)) else dict(options)
    return written if isinstance(written, Mapping) else {}


def _values(options: Any) -> Iterator[tuple[str, Any]]:
    if attrs.has(type(options)):
        yield from attrs.asdict(options, recurse=False).items()
    elif isinstance(options, Mapping):
        yield from options.items()


def thresholds(options: Any) -> Sequence[Mapping[str, Bounds]]:
    """Every mapping of bounds among the options, whatever it is called."""
    return [
        value
        for _, value in _values(options)
        if isinstance(value, Mapping) and value and all(isinstance(b, Bounds) for b in value.values())
    ]


def urls(options: Any) -> Iterator[str]:
    """The URLs of health checks among the options."""
    for name, value in _values(options):
        if name == "health_check_url" and isinstance(value, str) and value:
            yield value
