"""The options that every verb with a configuration takes, and the session that they open."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen

from uno_core.cli.failing import Terms
from uno_core.config.load import load
from uno_core.config.wanted import Overrides
from uno_core.registry import Registry
from uno_core.session import Session

F = TypeVar("F", bound=Callable[..., Any])

PLACE = {
    "config_file": click.option(
        "--config-file", type=click.Path(path_type=Path), metavar="PATH", help="Configuration (uno.yaml)."
    ),
    "app_name": click.option("--app-name", default="", metavar="NAME", help="The application."),
    "environment": click.option("--environment", default="", metavar="NAME", help="Where it is deployed."),
    "platform": click.option("--platform", default="", metavar="NAME", help="What it runs on."),
    "strategy": click.option("--strategy", default="", metavar="NAME", help="How it is deployed."),
    "namespace": click.option("--namespace", default="", metavar="NAME", help="The platform's namespace."),
    "adopt": click.option(
        "--adopt",
        is_flag=True,
        help="Take over the fields that somebody else owns, where the platform has such.",
    ),
    "option": click.option(
        "--option",
        multiple=True,
        metavar="PATH=VALUE",
        help="Anything of the configuration, strategy.batch_size=2 for instance; may be repeated.",
    ),
}
RELEASE = {
    "version": click.option("--version", default="", metavar="V", help="The version to deploy."),
    "image": click.option("--image", default="", metavar="IMAGE", help="The image to deploy."),
    "image_tag": click.option("--image-tag", default="", metavar="TAG", help="The tag of the image."),
}


@frozen(kw_only=True)
class Request:
    """What the command line says of the configuration. Empty means not given."""

    config_file: Path | None
    app_name: str
    environment: str
    platform: str
    strategy: str
    namespace: str
    adopt: bool
    option: tuple[str, ...]
    version: str = ""
    image: str = ""
    image_tag: str = ""

    @contextmanager
    def open(self) -> Iterator[Session]:
        """A session of this configuration, closed at the end. Raises ConfigError: nothing was touched."""
        session = self.session()
        try:
            yield session
        finally:
            session.close()

    def session(self) -> Session:
        """The same, for whoever closes it in a way of their own."""
        config = load(
            self.config_file,
            overrides=Overrides(
                application=self.app_name,
                environment=self.environment,
                platform=self.platform,
                strategy=self.strategy,
                version=self.version,
                image=self.image,
                image_tag=self.image_tag,
                namespace=self.namespace,
                adopt=self.adopt,
                options=self.option,
            ),
        )
        return Session(config, Registry.discover(choices=config.plugins))


def configured(*, release: bool = False) -> Callable[[F], F]:
    """Give a verb the options of a configuration; it is called with one Request for all of them."""
    options = {**PLACE, **(RELEASE if release else {})}

    def decorate(verb: F) -> F:
        @functools.wraps(verb)
        def call(**given: Any) -> Any:
            return verb(Request(**{name: given.pop(name) for name in options}), **given)

        made: Any = call
        for option in reversed(options.values()):
            made = option(made)
        return made  # type: ignore[no-any-return]  # click's decorators keep what they decorate

    return decorate


def output(*kinds: str) -> Callable[[F], F]:
    """`--output`: text for people, the others for programs."""
    return click.option(
        "--output", type=click.Choice(["text", *kinds]), default="text", help="Form of what goes to stdout."
    )


def _debug(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        ctx.ensure_object(Terms).debug = True


debug = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_debug, help="Show tracebacks of errors."
)
