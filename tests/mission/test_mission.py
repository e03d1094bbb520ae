"""The examples of the document that uno was asked for, each as it is written there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packages import build, install
from shop import SAMPLE, Ended, free_port

HOSTS = Path(__file__).parents[1] / "support" / "hosts"
DEPLOY = (
    "python -m uno.deployment.scripts.deploy --app-name my-app --environment prod --platform local"
    " --config-file ./deployment/config.yaml --strategy {strategy}"
)
BLUE_GREEN = (
    "python -m uno.deployment.scripts.blue_green --app-name my-app --namespace my-namespace"
    " --image-tag {tag} --health-check-url http://my-app-{{env}}.example.com/health --platform local"
)
PLAN = "uno plan --app-name my-app --platform local --config-file deployment/config.yaml"
QUICK = {
    "rolling": "{batch_size: 1, batch_timeout: 60}",
    "canary": "{increment_interval: 2, drain: 1, metrics_threshold: {error_rate: 5%}}",
    "blue-green": "{verify_for: 1, drain: 1}",
    "recreate": "{}",
    "my-custom": "{}",
}


class Place:
    """A folder like the document's: ./deployment/config.yaml, and a shell in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.environ: dict[str, str] = {}
        (folder / "deployment").mkdir()

    def configure(self, version: str, file: str = "deployment/config.yaml", **strategies: str) -> None:
        options = {**QUICK, **strategies}
        (self.folder / file).write_text(
            f"release: {{version: {version}}}\n"
            f"platform: {{name: local, root: {self.folder / 'shop'}, instances: 2,"
            f" command: {json.dumps(SAMPLE)}, grace: 5s}}\n"
            f'traffic: {{listen: "127.0.0.1:{self.port}", slot_hosts: "my-app-{{slot}}.example.com"}}\n'
            "look_every: 1s\n"
            "strategies:\n" + "".join(f"  {name}: {text}\n" for name, text in options.items())
        )

    def run(self, line: str, code: int = 0) -> Ended:
        words = line.split(" ")
        words[0] = {"python": sys.executable}.get(words[0], words[0])
        if words[0] == "uno":
            words[:1] = [sys.executable, "-m", "uno_core"]
        path = os.pathsep.join([str(HOSTS), *filter(None, [self.environ.get("PYTHONPATH")])])
        names = ",".join(f"my-app-{slot}.example.com=127.0.0.1:{self.port}" for slot in ("blue", "green"))
        environ = {**os.environ, **self.environ, "PYTHONPATH": path, "UNO_TEST_HOSTS": names}
        done = subprocess.run(
            words, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == code, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Ended(done.returncode, done.stdout, done.stderr)

    def serves(self) -> str:
        import requests

        return requests.get(f"http://127.0.0.1:{self.port}/", timeout=5).text.strip()

    def close(self) -> None:
        self.run(f"uno local down --root {self.folder / 'shop'}")


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.mark.component("envoy")
def test_row_1_blue_green(place):
    place.configure("unused", file="uno.yaml")
    first = place.run(BLUE_GREEN.format(tag="v0.9.0"))
    assert "namespace" in first.err
    ended = place.run(BLUE_GREEN.format(tag="v1.0.0"))
    assert place.serves() == "v1.0.0"
    for word in ("deploy v1.0.0 to green", "check the health of green", "switch all traffic", "verify green"):
        assert word in ended.err
    # Immediate switch back.
    back = "uno rollback --app-name my-app --platform local"
    place.run(back)
    assert place.serves() == "v0.9.0"


@pytest.mark.component("envoy")
@pytest.mark.parametrize("strategy", ["rolling", "canary", "recreate", "blue-green"])
def test_rows_4_6_and_8(place, strategy):
    place.configure("v1.0")
    place.run(DEPLOY.format(strategy=strategy))
    assert place.serves() == "v1.0"
    place.configure(
        "v1.10", **({"canary": "{increment_interval: 2, drain: 1}"} if strategy == "canary" else {})
    )
    ended = place.run(DEPLOY.format(strategy=strategy))
    assert place.serves() == "v1.10"
    if strategy == "rolling":
        assert "batch 2 of 2" in ended.err
    if strategy == "canary":
        shares = re.findall(r"(\d+) % to v1.10", ended.err)
        assert list(dict.fromkeys(shares)) == ["10", "25", "50", "75", "100"]


def test_rows_2_5_and_7_options_and_their_defaults(place):
    def shown(name: str) -> str:
        return re.sub(r"\s+", " ", place.run(f"uno strategies show {name}").out)

    blue_green, rolling, canary = shown("blue-green"), shown("rolling"), shown("canary")
    for option in ("health_check_url", "{env}"):
        assert option in blue_green
    assert re.search(r"health_check_timeout\b.*?\b(60s|1m)\b", blue_green)
    assert re.search(r"switch_timeout\b.*?\b(300s|5m)\b", blue_green)
    assert re.search(r"batch_size\b.*?\b1\b", rolling)
    assert re.search(r"batch_timeout\b.*?\b(300s|5m)\b", rolling)
    assert re.search(r"initial_percentage\b.*?\b10\b", canary)
    assert re.search(r"increments\b.*?25.*?50.*?75.*?100", canary)
    assert re.search(r"increment_interval\b.*?\b(300s|5m)\b", canary)
    assert "metrics_threshold" in canary


def test_row_9_the_selection_guide(place):
    guide = re.sub(r"[\s│┃]+", " ", place.run("uno strategies").out)
    for word in ("blue-green", "rolling", "canary", "recreate", "Immediate", "Fast", "Production"):
        assert word in guide


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ("production", "blue-green"),
        ("staging", "blue-green"),
        ("testing", "rolling"),
        ("development", "recreate"),
    ],
)
def test_row_10_the_default_of_an_environment(place, environment, chosen):
    place.configure("v1", canary="{}")
    plan = f"{PLAN} --environment {environment}"
    said = place.run(plan).out
    assert chosen in said
    assert f"the default of a {environment} environment" in said
    assert "named by --strategy" in place.run(f"{plan} --strategy canary").out


def test_row_10_production_is_a_canary_where_there_is_something_to_judge_it_by(place):
    place.configure("v1")
    assert '"strategy": "canary"' in place.run(f"{PLAN} --environment prod --output json").out


CUSTOM = """
from uno.deployment.strategies import DeploymentStrategy, DeploymentResult
from uno_core import StrategyInfo, hookimpl, whole


class MyCustomStrategy(DeploymentStrategy):
    def __init__(self, logger=None, **options):
        super().__init__("my-custom", logger)
        self.options = options

    def deploy(self, context):
        {deploy}
        return DeploymentResult(True, "Deployment succeeded")

    def rollback(self, context):
        {rollback}
        return DeploymentResult(True, "Rollback succeeded")


@hookimpl
def uno_register_strategies():
    return [StrategyInfo(name="my-custom", summary="Ours", load=lambda: MyCustomStrategy)]
"""
FILLED = """
        slot = context.initial.idle
        context.deploy(slot, context.release, context.initial.size)
        context.require_health(slot)
        context.set_traffic(whole(slot))
"""


@pytest.mark.component("envoy")
def test_row_11_a_custom_strategy_from_its_wheel(place, tmp_path):
    code = CUSTOM.format(deploy=FILLED.strip(), rollback="context.restore()")
    site = install(build(tmp_path / "source", "acme-strategy", "acme_strategy", code), tmp_path / "site")
    place.environ["PYTHONPATH"] = str(site)
    for version in ("v1", "v2"):
        place.configure(version)
        place.run(DEPLOY.format(strategy="my-custom"))
        assert place.serves() == version


@pytest.mark.component("envoy")
def test_row_11_with_the_empty_body_of_the_document_nothing_is_claimed(place, tmp_path):
    code = CUSTOM.format(deploy="# Implement your deployment logic here", rollback="# and here")
    site = install(build(tmp_path / "source", "acme-strategy", "acme_strategy", code), tmp_path / "site")
    place.environ["PYTHONPATH"] = str(site)
    place.configure("v1")
    place.run(DEPLOY.format(strategy="blue-green"))
    place.configure("v2")
    ended = place.run(DEPLOY.format(strategy="my-custom"), code=1)
    said = re.sub(r"\s+", " ", ended.out + ended.err)
    assert "failed" in said.lower()
    assert "reported success, but v1 serves" in said
    assert "v1 serves as before" in said
    assert place.serves() == "v1"
