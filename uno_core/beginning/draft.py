"""A draft: which platform and strategy, and the text of a configuration that says so and why."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from uno_core.beginning.text import Lines, defaults
from uno_core.config import nodes, sections
from uno_core.config.document import KINDS
from uno_core.config.load import load_node
from uno_core.config.structure import fields_of, required
from uno_core.contracts.beginning import Clue, Sketch, Surroundings
from uno_core.contracts.health import HealthCheckInfo
from uno_core.contracts.metrics import MetricProviderInfo
from uno_core.contracts.platform import PlatformInfo
from uno_core.contracts.strategy import StrategyInfo
from uno_core.errors import ConfigError, UnoError
from uno_core.model import Application, Bounds, Json, Kind
from uno_core.planning import Choice, choose
from uno_core.registry import Registry

METRIC, MOST = "error_rate", "1%"
"""The one bound that is written into a new configuration, where the platform measures it."""


@frozen(kw_only=True)
class Draft:
    """A configuration that can be used as it stands. next: what is to be done before the first deployment."""

    text: str
    application: str
    platform: str
    strategy: Choice
    next: Sequence[str] = ()


def sketches(registry: Registry, around: Surroundings) -> Mapping[str, Sketch]:
    """What each installed platform makes of a folder, by its name. One that fails is left out."""
    made: dict[str, Sketch] = {}
    for name, info in registry.infos(PlatformInfo).items():
        try:
            made[name] = _sketch(info, registry, around)
        except UnoError:
            continue  # told when it is asked for by its name
    return made


def pick(made: Mapping[str, Sketch]) -> str:
    """The platform that speaks for itself: it runs here already, or it is the only one; else none.

    One that says nothing of how it begins is chosen by its name alone, where there is another one.
    """
    running = [name for name, sketch in made.items() if sketch.running]
    speaking = [name for name, sketch in made.items() if sketch != Sketch()]
    alone = running or speaking or list(made)
    return alone[0] if len(alone) == 1 else ""


def begin(registry: Registry, around: Surroundings, *, platform: str = "", strategy: str = "") -> Draft:
    """Draft a configuration, and read it as a deployment would.

    Raises ConfigError where something has to be said first, and names the option that says it; and
    PluginError where a plugin that is asked for is broken. Nothing is written.
    """
    made = sketches(registry, around)
    name = platform or pick(made)
    if not name:
        raise ConfigError(
            "nobody says which platform the application runs on",
            found="installed: " + ", ".join(made) if made else "no platform is installed",
            expected="one of them",
            remedy="uno init --platform NAME" if made else "pip install uno-platform-local, or another one",
        )
    info = registry.find(PlatformInfo, name, where="--platform")
    sketch = _sketch(info, registry, around)
    _check_needs(sketch, around, info)
    drafting = _Drafting(registry=registry, around=around, info=info, sketch=sketch, asked=strategy)
    used = {kind for one in (*made.values(), sketch) for kind in one.uses}
    text = drafting.text(used)
    _check(text, registry)
    return Draft(
        text=text, application=around.application, platform=name, strategy=drafting.choice, next=sketch.next
    )


def _sketch(info: PlatformInfo, registry: Registry, around: Surroundings) -> Sketch:
    """Raises ConfigError for a platform that cannot be begun without its options."""
    with registry.guard(info, "sketching for"):
        made = info.sketch(around)
    if made is not None:
        return made
    declared = registry.options(info)
    missing = required(declared) if declared else ()
    if missing:
        raise ConfigError(
            f"the platform {info.name} does not say how a configuration for it begins",
            found=f"it cannot do without {', '.join(missing)}",
            where=registry.provider(info),
            remedy="write uno.yaml by hand: the page of the platform names its options",
        )
    return Sketch()


_FLAGS = {"command": "--command 'python3 app.py {port}'", "image": "--image registry.example/app"}


def _check_needs(sketch: Sketch, around: Surroundings, info: PlatformInfo) -> None:
    for fact in sketch.needs:
        if not getattr(around, fact, None):
            raise ConfigError(
                f"the platform {info.name} has to know the {fact} of the application",
                found="none in " + ", ".join(clue.where for clue in around.clues)
                if around.clues
                else f"nothing in {around.folder} that says it",
                expected=f"a {fact}",
                where=str(around.folder),
                remedy=f"uno init {_FLAGS.get(fact, f'--{fact} …')}",
            )


@frozen(kw_only=True)
class _Drafting:
    registry: Registry
    around: Surroundings
    info: PlatformInfo
    sketch: Sketch
    asked: str
    choice: Choice = field(init=False)
    measured: MetricProviderInfo | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "measured", self._provider())
        object.__setattr__(self, "choice", self._choose())

    def _provider(self) -> MetricProviderInfo | None:
        """The platform's own provider, where it measures what a bound is set to."""
        info = self.registry.infos(MetricProviderInfo).get(self.info.metrics)
        if info is None:
            return None
        declared = self.registry.options(info)
        return info if info.reads(declared() if declared else {}).knows(METRIC) else None

    def _choose(self) -> Choice:
        if self.asked:
            self.registry.find(StrategyInfo, self.asked, where="--strategy")
        environment = self.around.environment
        kind = KINDS.get(environment, Kind.PRODUCTION)
        return choose(
            self.registry.infos(StrategyInfo),
            asked=self.asked,
            asked_where="--strategy",
            application=Application(name=self.around.application, environment=environment, kind=kind),
            capabilities=self.info.capabilities,
            evidence=self.measured is not None,
        )

    def text(self, used: set[str]) -> str:
        """The whole document. used: the kinds of clues that any platform goes by."""
        around, lines = self.around, Lines()
        lines.comment(f"How uno deploys {around.application}. `uno init` wrote this; change what you like.")
        if around.clues:
            lines.comment("Seen here:")
        for clue in around.clues:
            lines.comment(f"  {_told(clue, used)}")
        lines.blank()
        lines.entry("uno", 1, note="the form of this file")
        lines.entry("application", around.application)
        self._environment(lines)
        self._platform(lines)
        self._health(lines)
        self._strategy(lines)
        return str(lines)

    def _environment(self, lines: Lines) -> None:
        environment = self.around.environment
        lines.entry("environment", environment, note="unless --environment names another one")
        if environment not in KINDS:
            lines.entry(
                "environments",
                {environment: {"kind": Kind.PRODUCTION.value}},
                note="or " + ", ".join(k.value for k in Kind if k is not Kind.PRODUCTION),
            )

    def _platform(self, lines: Lines) -> None:
        lines.blank()
        lines.comment(f"What it runs on. {self.info.summary}.")
        lines.section("platform", {"name": self.info.name, **self.sketch.options}, self.sketch.notes)
        if self.sketch.traffic:
            notes = {
                key.removeprefix("traffic."): text
                for key, text in self.sketch.notes.items()
                if key.startswith("traffic.")
            }
            lines.section("traffic", self.sketch.traffic, notes)

    def _health(self, lines: Lines) -> None:
        checks = self.registry.infos(HealthCheckInfo).values()
        check = next((one for one in checks if "http" in one.schemes), None)
        if check is None or not self.sketch.instance_url:
            return
        lines.blank()
        if self.around.health:
            lines.comment("Asked of every instance before it gets traffic, and while it is watched.")
            url = self.sketch.instance_url + self.around.health
            lines.section("health", {"name": check.name, "url": url}, {})
            return
        lines.comment("No path is known that says whether an instance is well: it counts as healthy when it")
        lines.comment("is ready. Better, once the application has one:")
        lines.comment(f'health: {{name: {check.name}, url: "{self.sketch.instance_url}/health"}}', code=True)

    def _strategy(self, lines: Lines) -> None:
        info = self.choice.info
        why = f"asked for by {self.choice.why.removeprefix('named by ')}" if self.asked else self.choice.why
        lines.blank()
        lines.comment(f"How a new release comes up: {info.summary}.")
        lines.comment(f"Why {info.name}: {why}. `uno strategies` compares them all.")
        lines.entry("strategy", info.name)
        declared = self.registry.options(info)
        if declared is None:
            return
        given = self._bounds(declared)
        lines.section("strategies", {info.name: given}, {})
        for key, value, what in defaults(declared):
            if key not in given:
                lines.comment(f"{key}: {value}", code=True, indent=4, note=what)
        self._everyday(lines)

    @staticmethod
    def _everyday(lines: Lines) -> None:
        """What most people ask for next."""
        lines.blank()
        lines.comment("A command of yours at one moment of every deployment: before_deploy, before_traffic,")
        lines.comment("after_traffic, before_finish, on_rollback. Its failure takes the application back.")
        lines.comment("hooks: {before_traffic: {run: [./migrate.sh], timeout: 10m}}", code=True)

    def _bounds(self, declared: type[Any]) -> Mapping[str, Json]:
        """A bound for what the platform measures, where the strategy has bounds at all."""
        if self.measured is None:
            return {}
        return {
            key: {METRIC: MOST}
            for key, (_, kind) in fields_of(declared).items()
            if any(_bounded(one) for one in (kind, *typing.get_args(kind)))
        }


def _bounded(kind: Any) -> bool:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping) and inner[1:] == (Bounds,)


def _told(clue: Clue, used: set[str]) -> str:
    found = " ".join(clue.found.split())
    short = f"{clue.where}: {found if len(found) <= 100 else found[:99] + '…'}"
    return (
        short if clue.kind in used or clue.kind == "source" else f"{short} (no installed platform goes by it)"
    )


def _check(text: str, registry: Registry) -> None:
    """Read it as a deployment would. Raises ConfigError: a plugin sketched what it does not take itself."""
    config = load_node(nodes.parse(text, "the draft"))
    assert config.platform is not None  # noqa: S101 - written above
    sections.platform_options(config, registry.find(PlatformInfo, config.platform.name), registry)
    sections.strategy_options(config, registry.find(StrategyInfo, config.strategy), registry)
    if config.health is not None:
        info = registry.find(HealthCheckInfo, config.health.name)
        sections.choice_options(config.health, info, registry)
