"""The document: what a configuration may say, and what it says once everything is laid over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from uno_core.config.nodes import Scalar, Table, merged
from uno_core.config.options import option
from uno_core.config.wanted import Wanted
from uno_core.contracts.engine import PHASES
from uno_core.model import Application, Kind, Secret

KINDS: Mapping[str, Kind] = {
    "prod": Kind.PRODUCTION,
    "production": Kind.PRODUCTION,
    "staging": Kind.STAGING,
    "testing": Kind.TESTING,
    "test": Kind.TESTING,
    "development": Kind.DEVELOPMENT,
    "dev": Kind.DEVELOPMENT,
}
"""The environments whose kind everybody knows; any other declares its own."""

CHOICES = ("platform", "traffic", "state", "engine", "health", "metrics", "judge")
"""The sections that name a plugin and carry its options."""

LISTS = ("notify", "more_metrics", "more_judges")
"""The sections that may name several plugins; an environment's replaces the whole."""

LATER: tuple[str, ...] = ()
"""Sections that are described but not built yet: refused, since ignoring them would hurt."""


@frozen(kw_only=True)
class Hook:
    """A command of the user's that runs at one moment of a deployment, at least once."""

    run: Sequence[str] = option(help="the command, as a list: [./migrate.sh, --all]")
    timeout: float = option(default=600.0, unit="s", gt=0, help="how long it may take; then it is ended")
    on_failure: str = option(
        default="rollback",
        choices=("rollback", "continue"),
        help="whether its failure takes the application back, or is only told",
    )
    env: Mapping[str, str | Secret] = option(
        factory=dict, help="more environment variables; a secret as ${ENV_VAR} or {file: path}"
    )

    def __attrs_post_init__(self) -> None:
        if not self.run or not self.run[0]:
            raise ValueError("a command: run: [./migrate.sh]")


@frozen(kw_only=True)
class Hooks:
    """The hooks of a deployment, by the moment at which they run."""

    before_deploy: Hook | None = option(default=None, help="before anything is started")
    before_traffic: Hook | None = option(
        default=None, help="before the first request goes to the new release"
    )
    after_traffic: Hook | None = option(default=None, help="once the new release has all of the traffic")
    before_finish: Hook | None = option(
        default=None, help="before the success is recorded: the last that can still take it back"
    )
    on_rollback: Hook | None = option(
        default=None, help="after the traffic is back; its failure is only told"
    )


@frozen(kw_only=True)
class Back:
    """What is allowed of the way back."""

    forbid_after: str | None = option(
        default=None,
        choices=PHASES,
        help="the hook after which nothing is taken back: uno holds where it is and calls a person",
    )


@frozen(kw_only=True)
class Settings:
    """What stands at the top of the document and belongs to no plugin."""

    hooks: Hooks = option(factory=Hooks, help="commands that run at certain moments of a deployment")
    rollback: Back = option(factory=Back, help="what is allowed of the way back")
    companions: Sequence[str] = option(
        default=(), help="what else gets the same release, after promotion, and is put back on rollback"
    )
    on_interrupt: str = option(
        default="rollback",
        choices=("rollback", "hold"),
        help="what a signal does where nobody sits at a terminal: take the traffic back, or hold resumable",
    )
    lock_timeout: float = option(
        default=0.0, unit="s", ge=0, help="how long a deployment waits for another one to end"
    )
    require_digest: bool = option(
        default=False, help="refuse an image that is known by its tag alone and not by its digest"
    )

    evidence_timeout: float = option(
        default=1800.0,
        unit="s",
        gt=0,
        help="how long a watched wait goes on without evidence before rollback",
    )
    on_no_evidence: str = option(
        default="rollback",
        choices=("rollback", "pause"),
        help="what follows then: rollback, or hold the split until a person promotes or aborts",
    )
    rollback_timeout: float = option(
        default=900.0, unit="s", gt=0, help="how long a rollback keeps trying before a person is called"
    )
    look_every: float = option(
        default=5.0, unit="s", gt=0, help="the time between two looks of a watched wait"
    )
    health_timeout: float = option(
        default=5.0, unit="s", gt=0, help="how long one attempt of a check may take"
    )
    health_failures: int = option(
        default=3, ge=1, help="looks in a row at bad health that end a watched wait"
    )
    tend: str = option(
        default="resume",
        choices=("resume", "rollback"),
        help="what `uno tend` does with a deployment that nobody drives",
    )


@frozen(kw_only=True)
class Choice:
    """A plugin that is named, with the options as they were written."""

    name: str
    options: Table = field(factory=Table)
    where: str = ""


@frozen(kw_only=True)
class Config:
    """A configuration for one environment, with the command line laid over it. Nothing was touched yet.

    Options of plugins are still nodes: `uno_core.config.sections` makes values of them, once the
    registry has said what each plugin declares. `strategy` is empty where the environment's default
    is to be taken, and `more_judges` None where the default is. `document` is everything as it stands
    after laying over, for `where`.
    """

    application: Application
    release: Wanted = field(factory=Wanted)
    platform: Choice | None = None
    traffic: Choice | None = None
    state: Choice | None = None
    engine: Choice | None = None
    strategy: str = ""
    strategies: Mapping[str, Table] = field(factory=dict)
    health: Choice | None = None
    metrics: Choice | None = None
    judge: Choice | None = None
    more_metrics: Sequence[Choice] = ()
    more_judges: Sequence[Choice] | None = None
    notify: Sequence[Choice] = ()
    plugins: Mapping[str, str] = field(factory=dict)
    settings: Settings = field(factory=Settings)
    file: Path | None = None
    document: Table = field(factory=Table, repr=False)
    over_strategy: Table = field(factory=Table, repr=False)

    @property
    def routed(self) -> bool:
        """Whether the application has traffic: not with `traffic: none`."""
        return self.traffic is None or self.traffic.name != "none"

    @property
    def router(self) -> Choice | None:
        """Another platform whose router is to be taken; None where the platform's own is."""
        own = self.platform.name if self.platform else ""
        return self.traffic if self.traffic and self.traffic.name not in ("", "none", own) else None

    def strategy_options(self, name: str) -> Table:
        """What was written for a strategy: its section, `strategy:` itself over it, `--option` over both."""
        path = f"strategies.{name}"
        node = merged(Table(where=str(self.file or ""), path=path), self.strategies.get(name, Table()))
        inline = self.document.entries.get("strategy")
        if isinstance(inline, Table) and self.strategy == name:
            node = merged(node, inline.without("name"))
        node = merged(node, self.over_strategy)
        return node if isinstance(node, Table) else Table()

    def where(self, path: str) -> str:
        """Where something was written, for messages: `uno.yaml:12`, `--strategy`; empty for a default."""
        table, found = self.document, ""
        for key in path.split("."):
            node = table.entries.get(key)
            if node is None:
                return found
            found = table.line(key) if isinstance(node, Table) else node.where
            table = node if isinstance(node, Table) else Table()
        return found


def named(node: Table) -> str:
    """The name that a section chooses; empty where it names none."""
    name = node.entries.get("name")
    return name.text if isinstance(name, Scalar) and not name.empty else ""
