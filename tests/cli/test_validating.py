"""`uno validate` and `uno schema`, as people and pipelines run them."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest
import yaml

RIGHT = """\
application: shop
environment: prod
platform: {name: local, command: [./shop, "{port}"]}
strategy: canary
strategies: {canary: {metrics_threshold: {error_rate: 1%}}}
health: {name: http, headers: {Authorization: "${HEALTH_TOKEN}"}}
"""


@pytest.fixture
def written(shop):
    def write(text: str, *arguments: str):
        (shop.root / "uno.yaml").write_text(text)
        return shop.uno("validate", *arguments)

    return write


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("HEALTH_TOKEN", "planted-and-never-told")


def test_what_is_right_is_said_to_be(written):
    said = written(RIGHT, "--strict")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "shop in prod (production), canary on local",
        "secrets: 1 of 1 are there",
        "nothing is wrong with it",
    ]


def test_every_mistake_of_every_environment_is_told_at_once(written):
    said = written(
        "aplication: shop\n"
        "application: shop\n"
        "platform: {name: local, command: [x], instnces: 2}\n"
        "health: {name: http, status: 700}\n"
        "strategies: {canary: {increments: fast}}\n"
        "environments:\n"
        "  prod: {platform: {instances: none}}\n"
        "  staging: {strategy: cnary}\n"
    )
    assert said.code == 2
    for where in (
        "uno.yaml:1, aplication", "uno.yaml:3, platform.instnces", "uno.yaml:4, health.status",
        "uno.yaml:5, strategies.canary.increments", "uno.yaml:7, platform.instances", "uno.yaml:8",
    ):  # fmt: skip
        assert f"  where     {where}\n" in said.out, where
    for near in ("application", "instances", "canary"):
        assert f"did you mean {near}?" in said.out
    assert said.out.count("platform knows no key instnces") == 1, "once, though two environments have it"
    assert said.out.rstrip().endswith("6 mistakes")


def test_what_an_environment_replaces_has_to_be_right_all_the_same(written):
    text = RIGHT.replace("environment: prod\n", "environments: {prod: {platform: {instances: 2}}}\n")
    assert written(text).code == 0
    said = written(text.replace("{name: local,", "{name: local, instances: x,"))
    assert said.code == 2
    assert "platform.instances is not what it has to be" in said.out


def test_only_the_environment_that_is_named_is_looked_at(written):
    text = RIGHT + "environments: {prod: {}, staging: {platform: {instances: x}}}\n"
    assert written(text, "--environment", "prod").code == 0
    assert written(text, "--environment", "staging").code == 2
    assert written(text).code == 2


def test_the_command_line_is_looked_at_too(written):
    said = written(RIGHT, "--option", "strategy.increments=[200]")
    assert said.code == 2
    assert "--option strategy.increments=[200]" in said.out


@pytest.mark.parametrize(
    ("more", "told", "remedy"),
    [
        ("metrics: datadog", "metric provider datadog is not", "pip install uno-metrics-datadog"),
        ("state: etcd://acme/shop", "the state store etcd:// is not", "pip install uno-state-etcd"),
        ("notify: [pagerduty]", "the notifier pagerduty is not", "pip install uno-notify-pagerduty"),
        ("strategies: {shadow: {x: 1}}", "the strategy shadow is not", "pip install uno-strategy-shadow"),
        ("hooks: {before_deploy: {run: [./migrate.sh]}}", "of the hook before_deploy is not here", "chmod"),
        ("hooks: {on_rollback: {run: [no-such-one]}}", "of the hook on_rollback is not here", "folder"),
        ("strategies: {canary: {health_check_url: 'grpc://x'}}", "for grpc://", "install uno-health-grpc"),
    ],
)  # fmt: skip
def test_what_is_not_here_is_a_warning_and_a_mistake_for_a_pipeline(written, more, told, remedy):
    text = RIGHT.replace("strategies: {canary: {metrics_threshold: {error_rate: 1%}}}\n", "") + more
    said = written(text)
    assert said.code == 0
    assert told in said.out
    assert remedy in said.out
    assert written(text, "--strict").code == 2


@pytest.mark.parametrize("reference", ["${NOT_SET}", "{file: nowhere}"])
def test_a_secret_that_is_not_there(written, reference):
    text = RIGHT.replace('"${HEALTH_TOKEN}"', f'"{reference}"' if "$" in reference else reference)
    said = written(text)
    assert said.code == 0
    assert "secrets: 0 of 1 are there" in said.out
    assert "uno.yaml:6, health.headers.Authorization" in said.out
    assert written(text, "--strict").code == 2


@pytest.mark.parametrize(
    ("without", "instead", "kind"),
    [('health: {name: http, headers: {Authorization: "${HEALTH_TOKEN}"}}\n', "", "health"),
     ("strategies: {canary: {metrics_threshold: {error_rate: 1%}}}\n", "more_judges: []\n", "metrics")],
)  # fmt: skip
def test_a_deployment_without_evidence_is_a_warning(written, without, instead, kind):
    said = written(RIGHT.replace(without, instead), "--output", "json")
    assert said.code == 0
    assert [warning["kind"] for warning in said.json["warnings"]] == [kind]
    assert written(RIGHT.replace(without, instead), "--strict").code == 2


def test_a_judge_that_compares_is_evidence(written):
    said = written(RIGHT.replace("strategies: {canary: {metrics_threshold: {error_rate: 1%}}}\n", ""))
    assert "no metrics" not in said.out
    assert said.code == 0


@pytest.mark.parametrize(("metric", "words"), [
    ("latency_p95: 300", "with its unit, 300ms"),
    ("latency_p950: 1s", "latency_p950"),
    ("latency_p101: 1s", "latency_p101"),
])  # fmt: skip
def test_a_latency_that_cannot_be_meant_so(written, metric, words):
    said = written(RIGHT.replace("error_rate: 1%", metric))
    assert said.code == 2
    assert words in said.out


def test_state_on_a_runner_and_no_platform_at_all(written, shop):
    (shop.site / "uno_far.py").write_text(
        "import uno_core\n"
        "@uno_core.hookimpl\n"
        "def uno_register_platforms():\n"
        "    return [uno_core.PlatformInfo(name='far', summary='', load=object)]\n"
    )
    shop.install("uno-platform-far", "[uno]\nfar = uno_far\n")
    text = "application: shop\nplatform: far\nstrategy: recreate\nhealth: tcp\nstate: file"
    assert "state" not in [warning["kind"] for warning in written(text, "--output", "json").json["warnings"]]
    said = written(text.replace("\nstate: file", ""), "--output", "json")
    assert "state" in [warning["kind"] for warning in said.json["warnings"]]
    said = written("application: shop\nhealth: tcp", "--output", "json")
    assert [warning["kind"] for warning in said.json["warnings"]] == ["platform"]


def test_what_is_not_declared_is_told_and_never_counts(written):
    said = written(RIGHT + "engine: {name: embedded, speed: 3}\n", "--strict")
    assert said.code == 0
    assert "note: embedded declares no options: what stands under engine was not checked" in said.out


@pytest.mark.parametrize(
    ("thresholds", "told"),
    [("{eror_rate: 1%}", "gives no metric eror_rate"), ("{error_rate: 1}", "ambiguous")],
)
def test_thresholds_are_held_against_what_is_measured(written, thresholds, told):
    said = written(RIGHT.replace("{error_rate: 1%}", thresholds))
    assert said.code == 2
    assert told in said.out


def test_a_strategy_that_the_platform_cannot_carry(written):
    text = RIGHT.replace("platform: {name: local", "platform: {name: zzz").replace(
        "strategy: canary", "strategy: zzz"
    )
    said = written(text)
    assert said.code == 0
    assert said.out.count("is not installed") == 2


def test_what_is_no_yaml_and_a_file_that_is_not_there(written, shop):
    said = written("a: [")
    assert said.code == 2
    assert "this is not YAML" in said.out
    assert shop.uno("validate", "--config-file", "nowhere.yaml").code == 2


def test_for_programs(written):
    said = written(RIGHT + "helth: x\n", "--output", "json")
    assert said.code == 2
    assert said.json["valid"] is False
    (mistake,) = said.json["mistakes"]
    assert (mistake["where"], mistake["found"], mistake["remedy"]) == (
        "uno.yaml:7, helth", "helth", "did you mean health?",
    )  # fmt: skip
    assert said.json["secrets"] == [
        {"reference": "${HEALTH_TOKEN}", "where": "uno.yaml:6, health.headers.Authorization", "present": True}
    ]
    assert "planted" not in said.out + said.err


def test_a_broken_plugin_that_is_named_is_a_mistake(written, shop):
    (shop.site / "uno_bad.py").write_text("raise RuntimeError('no')\n")
    shop.install("uno-platform-bad", "[uno]\nbad = uno_bad\n")
    said = written("application: shop\nplatform: bad\n")
    assert said.code == 2
    assert "the platform bad cannot be used: its plugin is broken" in said.out


def test_the_schema_knows_what_is_installed_and_takes_the_file(shop):
    said = shop.uno("schema")
    assert said.code == 0
    assert "# yaml-language-server: $schema=" in said.err
    validator = jsonschema.Draft202012Validator(said.json)
    assert not list(validator.iter_errors(yaml.safe_load(RIGHT)))
    assert list(validator.iter_errors(yaml.safe_load(RIGHT.replace("command:", "comand:"))))
    grace = said.json["$defs"]["platform.local"]["properties"]["grace"]
    assert grace["default"] == "30s"
    assert "SIGTERM" in grace["description"]


def test_the_schema_survives_a_broken_plugin_and_one_whose_options_are(shop):
    (shop.site / "uno_bad.py").write_text("raise RuntimeError('no')\n")
    shop.install("uno-platform-bad", "[uno]\nbad = uno_bad\n")
    (shop.site / "uno_half.py").write_text(
        "import uno_core\n"
        "def options(): raise ValueError('half')\n"
        "@uno_core.hookimpl\n"
        "def uno_register_platforms():\n"
        "    return [uno_core.PlatformInfo(name='half', summary='', load=object, options=options)]\n"
    )
    shop.install("uno-platform-half", "[uno]\nhalf = uno_half\n")
    said = shop.uno("schema")
    assert said.code == 0
    assert "warning: uno-platform-bad 1.0 is left out" in said.err
    assert "the options of half are left open" in said.err
    validator = jsonschema.Draft202012Validator(said.json)
    assert not list(validator.iter_errors({"application": "a", "platform": {"name": "half", "any": 1}}))


def test_the_schema_imports_no_sdk():
    source = (
        "import sys; from uno_core.registry import Registry; from uno_core.config.schema import schema\n"
        "schema(Registry.discover())\n"
        "print([m for m in ('psycopg', 'requests', 'envoy', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_says_how_an_editor_uses_it(shop):
    assert json.loads(shop.uno("schema").out)["$comment"].endswith("$schema=uno.schema.json")
    assert "yaml-language-server" in shop.uno("schema", "--help").out
