"""`python -m uno.deployment.scripts.blue_green`: a blue-green deployment without a configuration file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from uno.deployment.scripts import deploy


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m uno.deployment.scripts.blue_green",
        description="Deploy to the idle one of blue and green, check it, and switch the traffic over.",
        epilog="Whatever else is given is handed on to `uno deploy`.",
        allow_abbrev=False,  # an abbreviation of one of ours may be an option of `uno deploy`
    )
    parser.add_argument("--app-name", required=True, help="the application")
    parser.add_argument("--namespace", help="where the application is, on platforms that have namespaces")
    parser.add_argument("--image-tag", required=True, help="the version to deploy")
    parser.add_argument("--health-check-url", help="the URL to check; {env} is blue or green")
    parser.add_argument(
        "--health-check-timeout",
        metavar="SECONDS",
        help="how long the new instances may take to be healthy (60)",
    )
    parser.add_argument(
        "--switch-timeout", metavar="SECONDS", help="how long the traffic may take to follow (300)"
    )
    parser.add_argument("--environment", help="the environment (the file's; without a file, prod)")
    parser.add_argument("--platform", help="the platform (the file's; without a file, kubernetes)")
    parser.add_argument("--config-file", help="a configuration file (uno.yaml, where there is one)")
    return parser


def translated(arguments: Sequence[str]) -> list[str]:
    """The arguments of `uno deploy` that say the same. Exits with 2 where one that is required is missing."""
    given, rest = _parser().parse_known_args(arguments)
    # Where there is a file, its own word outranks our defaults: it may be for another place.
    alone = given.config_file is None and not Path("uno.yaml").exists()
    plain = {
        "app-name": given.app_name,
        "environment": given.environment or ("prod" if alone else None),
        "platform": given.platform or ("kubernetes" if alone else None),
        "config-file": given.config_file,
        "strategy": "blue-green",
        "namespace": given.namespace,
        "image-tag": given.image_tag,
    }
    options = {
        "health_check_url": given.health_check_url,
        "health_check_timeout": given.health_check_timeout,
        "switch_timeout": given.switch_timeout,
    }
    # One word each: a value may begin with a dash.
    words = [f"--{name}={value}" for name, value in plain.items() if value is not None]
    words += [f"--option=strategy.{name}={value}" for name, value in options.items() if value is not None]
    return [*words, *rest]


def main(arguments: Sequence[str] | None = None) -> int | None:
    """Deploy as the arguments say; those of the command line by default. Returns the exit code."""
    return deploy.main(translated(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    sys.exit(main())
