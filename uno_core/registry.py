"""The registry: who provides which name, and how what they provide is loaded and constructed.

Using is strict: a name that is unknown, ambiguous or behind a broken plugin is an error that says
why, and whatever a plugin raises that is no UnoError is wrapped with the plugin named.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import attrs

from uno_core.contracts.services import Info, Logger, Services
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo
from uno_core.discovery import (
    Claim,
    PluginKind,
    PluginReport,
    PluginStatus,
    Registration,
    discover,
    kind_of,
    told,
)
from uno_core.entrypoints import PLUGINS, normalized, scan
from uno_core.errors import ConfigError, PluginError, UnoError

I = TypeVar("I", bound=Info)  # noqa: E741 - an Info


def _settle(plugins: Sequence[PluginReport], choices: Mapping[str, str]) -> tuple[PluginReport, ...]:
    """Say of each registration whether it is active, ambiguous or overridden."""
    claims: dict[str, list[PluginReport]] = {}
    for plugin in plugins:
        for claim in plugin.registrations:
            claims.setdefault(claim.key, []).append(plugin)

    def status(plugin: PluginReport, claim: Registration) -> Claim:
        rivals = claims[claim.key]
        if claim.key in choices:
            rivals = [rival for rival in rivals if rival.chosen_by(choices[claim.key])]
            if plugin not in rivals:
                return Claim.OVERRIDDEN
        return Claim.ACTIVE if len(rivals) == 1 else Claim.AMBIGUOUS

    settled: list[PluginReport] = []
    for plugin in plugins:
        claims_of = tuple(attrs.evolve(c, status=status(plugin, c)) for c in plugin.registrations)
        settled.append(attrs.evolve(plugin, registrations=claims_of))
    return tuple(settled)


class Registry:
    """Every plugin and every name. Made once, never changed."""

    def __init__(self, plugins: Sequence[PluginReport], choices: Mapping[str, str] | None = None) -> None:
        self.choices: Mapping[str, str] = dict(choices or {})
        self.plugins: Sequence[PluginReport] = _settle(plugins, self.choices)

    @classmethod
    def discover(
        cls,
        *,
        choices: Mapping[str, str] | None = None,
        metadata_only: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> Registry:
        """Find what is installed. Never raises for a plugin's sake; `metadata_only` imports none of them.

        `choices` settle who provides a name that two plugins claim: `{"strategy.canary": "distribution"}`,
        or `distribution:entry-point`.
        """
        environ = os.environ if environ is None else environ
        return cls([discover(e, environ, metadata_only=metadata_only) for e in scan(PLUGINS)], choices)

    @classmethod
    def of(cls, *infos: Info, distribution: str = "in-process", version: str = "0") -> Registry:
        """A registry of these records alone, without entry points: for tests and for embedding."""
        report = PluginReport(
            name=distribution,
            distribution=distribution,
            version=version,
            status=PluginStatus.ACTIVE,
            registrations=tuple(Registration(kind=kind_of(type(i)), name=i.name, info=i) for i in infos),
        )
        return cls([report])

    def _claims(self, kind: PluginKind) -> Iterator[tuple[PluginReport, Registration]]:
        return ((p, claim) for p in self.plugins for claim in p.registrations if claim.kind is kind)

    def infos(self, kind: type[I]) -> Mapping[str, I]:
        """The records of a kind that can be used, sorted by name: `registry.infos(StrategyInfo)`.

        A name that two plugins claim is left out; `find` says so when it is used.
        """
        claims = (claim for _, claim in self._claims(kind_of(kind)) if claim.status is Claim.ACTIVE)
        return {claim.name: cast("I", claim.info) for claim in sorted(claims, key=lambda claim: claim.name)}

    def find(self, kind: type[I], name: str, *, where: str = "") -> I:
        """The record behind a name: `registry.find(StrategyInfo, "canary", where="uno.yaml:3")`.

        Raises ConfigError where nobody registers the name, PluginError where its plugin is broken,
        disabled or incompatible, or where two plugins claim it. Nothing was loaded or touched.
        """
        what = kind_of(kind)
        claims = [(p, c) for p, c in self._claims(what) if c.name == name]
        active = [c for _, c in claims if c.status is Claim.ACTIVE]
        if active:
            return cast("I", active[0].info)
        choice = self.choices.get(f"{what}.{name}", "")
        self._refuse_choice(what, name, choice, [p for p, _ in claims])
        if claims:
            apart = len({p.distribution for p, _ in claims}) == len(claims)
            first = claims[0][0].distribution if apart else f"{claims[0][0].distribution}:{claims[0][0].name}"
            raise PluginError(
                f"more than one plugin provides the {what.words} {name}",
                found=" and ".join(f"{p} (entry point {p.name})" for p, _ in claims),
                where=where,
                remedy=f"choose one in the configuration, plugins: {{{what}.{name}: '{first}'}}"
                ", or uninstall the other",
            )
        raise self._unknown(what, name, where)

    def _refuse_choice(self, what: PluginKind, name: str, choice: str, rivals: list[PluginReport]) -> None:
        if not choice or any(plugin.chosen_by(choice) for plugin in rivals):
            return
        chosen = [plugin for plugin in self.plugins if plugin.chosen_by(choice)]
        bad = next((plugin for plugin in chosen if plugin.reason), None)
        raise PluginError(
            f"{choice}, chosen for the {what.words} {name}, does not provide it",
            found=f"{bad} is {bad.status}: {bad.reason}" if bad
            else (f"{chosen[0]} registers no such name" if chosen else f"{choice} is not installed"),
            expected=f"one of {', '.join(p.distribution for p in rivals)}" if rivals else "",
            where=f"plugins: {what}.{name}",
            remedy=bad.remedy if bad else "choose another distribution, or leave the choice out",
        )  # fmt: skip

    def _unknown(self, what: PluginKind, name: str, where: str) -> UnoError:
        ours = normalized(f"uno-{what}-{name}")
        out = [p for p in self.plugins if p.reason]
        for p in out:
            if p.may_provide(what, name):
                return PluginError(
                    f"the {what.words} {name} cannot be used: its plugin is {p.status}",
                    found=f"{p}: {p.reason}",
                    where=where,
                    remedy=p.remedy,
                )
        known = sorted({c.name for _, c in self._claims(what)})
        other = [c.kind.words for p in self.plugins for c in p.registrations if c.name == name]
        near = difflib.get_close_matches(name, known, n=1)
        ways = [f"did you mean {near[0]}?"] if near else []
        ways += [f"{name} is the name of a {other[0]}"] if other else []
        # Never beside a near name: a typo must not be installed.
        ways += [] if near else [f"pip install {ours}"]
        ways += [f"mend {p.distribution}, which is {p.status}: {p.reason}" for p in out]
        return ConfigError(
            f"there is no {what.words} {name}",
            found=name,
            expected=f"one of {', '.join(known)}" if known else f"a {what.words}; none is installed",
            where=where,
            remedy="; or ".join(ways),
        )

    def provider(self, info: Info) -> str:
        """Who registered a record, for messages: distribution and version."""
        mine = (str(p) for p in self.plugins for c in p.registrations if c.info is info)
        return next(mine, "a plugin that is not registered")

    def code(self, info: Info) -> str:
        """A short hash of the source of what a record stands for; empty where it cannot be read."""
        try:
            source = inspect.getsource(sys.modules[self.load(info).__module__])
        except (OSError, TypeError, KeyError):
            return ""
        return hashlib.sha256(source.encode()).hexdigest()[:12]

    @contextmanager
    def guard(self, info: Info, doing: str) -> Iterator[None]:
        """Let UnoErrors pass and wrap whatever else a plugin raises in a PluginError that names it."""
        try:
            yield
        except UnoError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{doing} {info.name} failed in its plugin",
                found=told(error),
                where=self.provider(info),
                remedy="report it to the plugin's author; --debug shows where it was raised",
            ) from error

    def _broken(self, info: Info, message: str, found: str, expected: str) -> PluginError:
        remedy = "report it to the plugin's author, or install another version of the plugin"
        return PluginError(message, found=found, expected=expected, where=self.provider(info), remedy=remedy)

    def options(self, info: Info) -> type[Any] | None:
        """The attrs class of a record's options; None where it declares none and takes any mapping."""
        if info.options is None:
            return None
        with self.guard(info, "declaring the options of"):
            declared: Any = info.options()
        if not (isinstance(declared, type) and attrs.has(declared)):
            raise self._broken(
                info, f"the options of {info.name} are no attrs class", repr(declared), "a class"
            )
        return declared

    def load(self, info: Info) -> Callable[..., Any]:
        """Import what a record stands for. Raises PluginError where the SDK is missing, for instance."""
        with self.guard(info, "loading"):
            made: Any = info.load()
        missing = sorted(getattr(made, "__abstractmethods__", ()))
        if isinstance(info, StrategyInfo) and not missing:
            missing = [name for name in ("deploy", "rollback") if not callable(getattr(made, name, None))]
        if not callable(made) or missing:
            lacks = f"{made!r} without {', '.join(missing)}" if missing else repr(made)
            raise self._broken(
                info, f"{info.name} loads something unfinished", lacks, "a class that can be made"
            )
        return cast("Callable[..., Any]", made)

    def _construct(self, info: Info, *arguments: Any, **fields: Any) -> Any:
        made = self.load(info)
        try:
            signature = inspect.signature(made)
        except (TypeError, ValueError, NameError):
            # None to be had, of a class written in C or with types of TYPE_CHECKING: just call it.
            signature = None
        if signature is not None:
            try:
                signature.bind(*arguments, **fields)
            except TypeError as error:  # raised by bind alone: the plugin's own code has not run yet
                given = ", ".join([*("a value" for _ in arguments), *(f"{name}=" for name in fields)])
                message = f"{info.name} does not take what it is constructed with: {error}"
                if info.options is None and fields.keys() - {"logger"}:
                    raise ConfigError(
                        message,
                        found=given,
                        expected=f"{info.name}{signature}",
                        where=self.provider(info),
                        remedy=f"take out the options of {info.name} that it does not know",
                    ) from None
                raise self._broken(info, message, given, f"{info.name}{signature}") from None
        with self.guard(info, "constructing"):
            return made(*arguments, **fields)

    def strategy(self, info: StrategyInfo, options: Any, logger: Logger) -> DeploymentStrategy[Any]:
        """Construct a strategy: `cls(logger=logger, **fields)`. `options` is a mapping or an attrs value."""
        fields = dict(options) if isinstance(options, Mapping) else attrs.asdict(options, recurse=False)
        return cast("DeploymentStrategy[Any]", self._construct(info, logger=logger, **fields))

    def build(self, info: Info, options: Any, services: Services) -> Any:
        """Construct anything but a strategy: `cls(options, services)`.

        Raises PluginError that names the plugin for whatever it raises that is no UnoError.
        """
        return self._construct(info, options, services)
