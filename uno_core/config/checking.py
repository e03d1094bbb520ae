"""Every section of a document made as for a deployment, and every mistake collected; nothing is touched.

Not only what an environment comes to is looked at, but each layer of it too: what stands in the file
has to be right even where an environment replaces it. An editor that knows the schema says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from uno_core.config import sections
from uno_core.config.document import CHOICES, Choice, Config, named
from uno_core.config.load import load_layer, load_node
from uno_core.config.mistakes import Mistakes, nearest
from uno_core.config.nodes import Node, Scalar, Table
from uno_core.config.wanted import Overrides
from uno_core.contracts.engine import EngineInfo
from uno_core.contracts.health import HealthCheckInfo
from uno_core.contracts.judge import JudgeInfo
from uno_core.contracts.metrics import MetricProviderInfo
from uno_core.contracts.notifier import NotifierInfo
from uno_core.contracts.platform import PlatformInfo
from uno_core.contracts.services import Info
from uno_core.contracts.state import StateStoreInfo
from uno_core.contracts.strategy import StrategyInfo
from uno_core.discovery import kind_of
from uno_core.errors import ConfigError, UnoError
from uno_core.registry import Registry

KINDS: Mapping[str, type[Info]] = {
    "platform": PlatformInfo,
    "traffic": PlatformInfo,
    "state": StateStoreInfo,
    "engine": EngineInfo,
    "health": HealthCheckInfo,
    "metrics": MetricProviderInfo,
    "judge": JudgeInfo,
}
"""What a section names, for each that names one plugin."""

LISTED: Mapping[str, type[Info]] = {
    "notify": NotifierInfo,
    "more_metrics": MetricProviderInfo,
    "more_judges": JudgeInfo,
}
"""The kind of plugin that each of the sections names that may name several."""


@frozen(kw_only=True)
class Missing:
    """A plugin that is named and not installed: its options could not be checked."""

    key: str
    name: str
    where: str
    distribution: str


@frozen(kw_only=True)
class Checked:
    """One environment as a deployment would see it.

    options: of each section that could be made, by its key: `platform`, `strategies.canary`.
    infos: the records behind them. unchecked: sections with options that their plugin does not declare.
    """

    config: Config
    registry: Registry
    options: Mapping[str, Any]
    infos: Mapping[str, Info]
    missing: Sequence[Missing]
    unchecked: Sequence[str]


def environments(root: Node) -> Sequence[str]:
    """The environments that a document declares or names; none where it does neither."""
    if not isinstance(root, Table):
        return ()
    declared = root.entries.get("environments")
    names = list(declared.entries) if isinstance(declared, Table) else []
    own = root.entries.get("environment")
    if isinstance(own, Scalar) and own.text and not own.empty and own.text not in names:
        names.append(own.text)
    return names


def check(
    root: Node, registry: Registry, *, file: Path | None, overrides: Overrides, mistakes: Mistakes
) -> Checked | None:
    """One environment; None where nothing can be made of the document. Mistakes are collected."""
    try:
        config = load_node(root, file=file, overrides=overrides, mistakes=mistakes)
    except ConfigError as error:
        mistakes.take(error)
        return None
    chosen = Registry(registry.plugins, config.plugins)
    made = _Sections(config, chosen, mistakes)
    made.all()
    return Checked(
        config=config,
        registry=chosen,
        options=made.options,
        infos=made.infos,
        missing=made.missing,
        unchecked=made.unchecked,
    )


def check_layers(
    root: Node, registry: Registry, names: Sequence[str], *, file: Path | None, mistakes: Mistakes
) -> None:
    """What stands in the top of the document and in these of its environments, each by itself."""
    if not isinstance(root, Table):
        return
    declared = root.entries.get("environments")
    layers = declared.entries if isinstance(declared, Table) else {}
    base = load_layer(root.without("environments"), file=file, mistakes=mistakes, whole=True)
    _Sections(base, Registry(registry.plugins, base.plugins), mistakes, partial=True).all()
    for name in names:
        layer = layers.get(name)
        if isinstance(layer, Table):
            over = load_layer(layer.without("kind"), file=file, mistakes=mistakes)
            chosen = Registry(registry.plugins, {**base.plugins, **over.plugins})
            _Sections(_named_by(over, base), chosen, mistakes, partial=True).all()


def _named_by(over: Config, base: Config) -> Config:
    """An environment's layer, its sections named as the ones below them where they name nobody."""
    changes: dict[str, Any] = {}
    for key in CHOICES:
        mine, below = getattr(over, key), getattr(base, key)
        silent = mine is not None and not mine.name
        if below is not None and below.name and not (key == "traffic" and below.name == "none") and silent:
            changes[key] = evolve(mine, name=below.name)
    if over.platform is None and base.platform is not None:
        changes["platform"] = evolve(base.platform, options=Table(path="platform"))
    inline = over.document.entries.get("strategy")
    if isinstance(inline, Table) and not named(inline):
        changes["strategy"] = base.strategy
    return evolve(over, **changes)


@frozen(kw_only=True)
class _Sections:
    """Makes the options of every section of one configuration."""

    config: Config = field(kw_only=False)
    registry: Registry = field(kw_only=False)
    mistakes: Mistakes = field(kw_only=False)
    partial: bool = False
    options: dict[str, Any] = field(factory=dict, init=False)
    infos: dict[str, Info] = field(factory=dict, init=False)
    missing: list[Missing] = field(factory=list, init=False)
    unchecked: list[str] = field(factory=list, init=False)

    def all(self) -> None:
        """Every section of the configuration."""
        self._platform()
        self._store()
        for key in ("engine", "health", "metrics", "judge"):
            choice: Choice | None = getattr(self.config, key)
            if choice is not None and (info := self._find(key, KINDS[key], choice.name, choice.where)):
                self._make(key, info, choice.options, _making(sections.choice_options, choice))
        for section, kind in LISTED.items():
            for choice in getattr(self.config, section) or ():
                if info := self._find(section, kind, choice.name, choice.where):
                    # One that is laid over another replaces it: each is whole.
                    key = choice.options.path or section
                    making = _making(sections.choice_options, choice, whole=True)
                    self._make(key, info, choice.options, making)
        self._strategies()

    def _find(self, key: str, kind: type[Info], name: str, where: str) -> Any:
        """The record behind a name; None where it is not installed, or cannot be used."""
        if not name:
            return None
        try:
            return self.registry.find(kind, name, where=where)
        except UnoError as error:
            if isinstance(error, ConfigError) and not nearest(name, self.registry.infos(kind)):
                self._lacks(key, name, where, f"uno-{kind_of(kind)}-{name}")
            else:
                self.mistakes.take_any(error)
        return None

    def _keeping(self, name: str) -> str:
        """The store that a name means: `platform` is that of the platform, where it has one."""
        platform = self.infos.get("platform")
        if (
            name == "platform"
            and platform is not None
            and platform.name in self.registry.infos(StateStoreInfo)
        ):
            return platform.name
        return name or "file"

    def _lacks(self, key: str, name: str, where: str, distribution: str) -> None:
        self.missing.append(Missing(key=key, name=name, where=where, distribution=distribution))

    def _make(self, key: str, info: Info, written: Table, make: Callable[..., Any]) -> None:
        self.infos[key] = info
        try:
            made = make(info, self.registry, partial=self.partial)
        except UnoError as error:
            self.mistakes.take_any(error)
            return
        if not self.partial:
            self.options[key] = made
        if info.options is None and written.entries:
            self.unchecked.append(key)

    def _platform(self) -> None:
        config, platform, router = self.config, self.config.platform, self.config.router
        if platform and (info := self._find("platform", PlatformInfo, platform.name, platform.where)):
            alone = evolve(config, traffic=None)
            self._make("platform", info, platform.options, _making(sections.platform_options, alone))
            self._make("platform", info, platform.options, _making(sections.platform_options, config))
            if not self.partial:
                try:
                    sections.check_places(config, info, self.registry)
                except UnoError as error:
                    self.mistakes.take_any(error)
        if router and (info := self._find("traffic", PlatformInfo, router.name, router.where)):
            self._make("traffic", info, router.options, _making(sections.router_options, config))

    def _store(self) -> None:
        choice = self.config.state
        if choice is None:
            return
        if "://" not in choice.name:
            info = self._find("state", StateStoreInfo, self._keeping(choice.name), choice.where)
        else:
            scheme = choice.name.partition("://")[0]
            known = self.registry.infos(StateStoreInfo).values()
            info = next((one for one in known if scheme in one.schemes), None)
            if info is None:
                self._lacks("state", f"{scheme}://", choice.where, f"uno-state-{scheme}")
        if info is not None:
            self._make("state", info, choice.options, _making(sections.store_options, choice))

    def _strategies(self) -> None:
        installed = self.registry.infos(StrategyInfo)
        for name in dict.fromkeys([*self.config.strategies, *filter(None, [self.config.strategy])]):
            path = "strategy" if name == self.config.strategy else f"strategies.{name}"
            if name not in installed and path != "strategy" and (near := nearest(name, installed)):
                self.mistakes.add(
                    f"there is no strategy {name}",
                    found=path,
                    expected=f"one of {', '.join(installed)}",
                    where=self.config.where(path),
                    remedy=near,
                )
            elif info := self._find(path, StrategyInfo, name, self.config.where(path)):
                table = self.config.strategy_options(name)
                self._make(f"strategies.{name}", info, table, _making(sections.strategy_options, self.config))


def _making(make: Callable[..., Any], written: Choice | Config, *, whole: bool = False) -> Callable[..., Any]:
    def made(info: Info, registry: Registry, *, partial: bool) -> Any:
        return make(written, info, registry, partial=partial and not whole)

    return made


def keys_of(checked: Sequence[Checked]) -> Iterator[Missing]:
    """What is missing in any environment, once each."""
    seen: set[tuple[str, str]] = set()
    for missing in (one for each in checked for one in each.missing):
        if (missing.key, missing.name) not in seen:
            seen.add((missing.key, missing.name))
            yield missing
