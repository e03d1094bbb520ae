from __future__ import annotations

from pathlib import Path

import pytest

from uno_core import ConfigError, Kind
from uno_core.config import nodes
from uno_core.config.document import Config
from uno_core.config.load import load, load_choices
from uno_core.config.mistakes import ConfigErrors
from uno_core.config.structure import plain
from uno_core.config.wanted import Overrides

FULL = """\
uno: 1
application: checkout
release: {image: registry.example:5000/checkout, version: 1.10}
platform: {name: kubernetes, context: prod-eu, namespace: shop}
traffic: {router: gateway-api, route: checkout}
strategy: canary
strategies:
  canary:
    initial_percentage: 5
    increments: [25, 50, 100]
  rolling: {batch_size: 25%}
  recreate:
metrics: prometheus
plugins: {strategy.canary: acme-canary}
rollback_timeout: 5m
environments:
  prod: {kind: production}
  staging:
    strategy: rolling
    platform: {context: staging}
    strategies: {rolling: {batch_size: 2}}
  local: {kind: development, platform: local, traffic: none, evidence_timeout: 1m}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def make(text: str, name: str = "uno.yaml") -> Path:
        (tmp_path / name).write_text(text)
        return Path(name)

    return make


def over(*options: str, **fields: str) -> Overrides:
    return Overrides(options=options, **fields)


def test_a_file_is_read_for_one_environment(write):
    write(FULL)
    config = load(environment="prod")
    assert (config.application.key, config.application.kind) == ("checkout-prod", Kind.PRODUCTION)
    assert (config.release.version, config.release.image) == ("1.10", "registry.example:5000/checkout")
    assert config.platform
    assert config.platform.name == "kubernetes"
    assert plain(config.platform.options) == {"context": "prod-eu", "namespace": "shop"}
    assert config.strategy == "canary"
    assert plain(config.strategy_options("canary")) == {"initial_percentage": 5, "increments": [25, 50, 100]}
    assert plain(config.strategy_options("recreate")) == {}
    assert plain(config.strategy_options("never-named")) == {}
    assert config.metrics
    assert config.metrics.name == "prometheus"
    assert config.plugins == {"strategy.canary": "acme-canary"}
    assert (config.settings.rollback_timeout, config.settings.evidence_timeout) == (300, 1800)
    assert config.state is None
    assert config.routed
    assert config.router is None
    assert config.file == Path("uno.yaml")


def test_an_environment_lies_over_everything_deeply(write):
    write(FULL)
    config = load(environment="staging")
    assert (config.strategy, config.application.kind) == ("rolling", Kind.STAGING)
    assert config.platform
    assert plain(config.platform.options) == {"context": "staging", "namespace": "shop"}
    assert plain(config.strategy_options("rolling")) == {"batch_size": 2}
    assert config.where("platform.context") == "uno.yaml:20"
    assert config.where("platform.namespace") == "uno.yaml:4"
    assert config.where("judge") == ""


def test_another_plugin_replaces_a_section_and_its_options(write):
    write(FULL)
    config = load(environment="local")
    assert config.platform
    assert (config.platform.name, plain(config.platform.options)) == ("local", {})
    assert not config.routed
    assert config.application.kind is Kind.DEVELOPMENT
    assert config.settings.evidence_timeout == 60


def test_traffic_of_another_platform(write):
    write("application: a\nplatform: kubernetes\ntraffic: {name: dns, zone: example.com}\n")
    config = load()
    assert config.router
    assert (config.router.name, plain(config.router.options)) == ("dns", {"zone": "example.com"})
    write("application: a\nplatform: kubernetes\ntraffic: {name: kubernetes, service: a}\n")
    assert load().router is None


def test_traffic_none_can_be_taken_back_by_an_environment(write):
    write("application: a\ntraffic: none\nenvironments: {prod: {traffic: {listen: ':80'}}}")
    config = load()
    assert config.routed
    assert config.traffic
    assert plain(config.traffic.options) == {"listen": ":80"}


@pytest.mark.parametrize(
    ("text", "environment", "kind"),
    [
        ("application: a", "", Kind.PRODUCTION),
        ("application: a\nenvironment: staging", "", Kind.STAGING),
        ("application: a\nenvironment: staging", "test", Kind.TESTING),
        ("application: a\nenvironments: {dev: }", "", Kind.DEVELOPMENT),
        ("application: a\nenvironments: {prod: {kind: testing}}", "", Kind.TESTING),
        ("application: a\nenvironments: {eu: {kind: staging}, us: {kind: production}}", "eu", Kind.STAGING),
        ("application: a\nenvironments: {eu: {strategy: canary}}", "eu", Kind.PRODUCTION),
    ],
)
def test_the_kind_of_an_environment(write, text, environment, kind):
    write(text)
    assert load(environment=environment).application.kind is kind


def test_an_environment_of_ones_own_declares_its_kind(write):
    write("application: a\nstrategy: canary\nenvironments: {eu-west: {kind: production}}")
    with pytest.raises(ConfigError, match="nobody knows what the environment eu-wset is for") as caught:
        load(environment="eu-wset")
    assert "did you mean eu-west?" in caught.value.remedy
    assert caught.value.where == "--environment"


def test_several_environments_and_none_named(write):
    write("application: a\nenvironments: {prod: , staging: }")
    with pytest.raises(ConfigError, match="no environment was named") as caught:
        load()
    assert caught.value.expected == "one of prod, staging"


def test_without_a_file_everything_comes_from_the_command_line(write):
    config = load(environment="eu", overrides=over(application="a", platform="local", version="1.10"))
    assert (config.application.key, config.application.kind) == ("a-eu", Kind.PRODUCTION)
    assert config.platform
    assert (config.platform.name, config.platform.where) == ("local", "--platform")
    assert (config.release.version, config.file) == ("1.10", None)
    with pytest.raises(ConfigError, match="the application has no name"):
        load()


def test_a_named_file_that_is_not_there_is_an_error(write):
    with pytest.raises(ConfigError, match=r"other\.yaml cannot be read"):
        load(Path("other.yaml"))


def test_the_command_line_lies_over_the_file(write):
    write(FULL)
    config = load(
        environment="prod",
        overrides=over(
            "strategy.increments=[50, 100]",
            "platform.context=mine",
            "metrics.url=http://prometheus:9090",
            "health.url=http://{host}/",
            "health.name=http",
            "rollback_timeout=1m",
            application="basket",
            namespace="ours",
        ),
    )
    assert config.application.name == "basket"
    assert config.platform
    assert plain(config.platform.options) == {"context": "mine", "namespace": "ours"}
    options = config.strategy_options("canary")
    assert plain(options) == {"initial_percentage": 5, "increments": [50, 100]}
    assert options.entries["increments"].where == "--option strategy.increments=[50, 100]"
    assert config.metrics
    assert plain(config.metrics.options) == {"url": "http://prometheus:9090"}
    assert config.health
    assert plain(config.health.options) == {"url": "http://{host}/"}
    assert config.settings.rollback_timeout == 60


def test_options_of_the_strategy_follow_the_strategy_of_the_command_line(write):
    write(FULL)
    config = load(environment="prod", overrides=over("strategy.batch_size=3", strategy="rolling"))
    assert (config.strategy, config.where("strategy")) == ("rolling", "--strategy")
    assert plain(config.strategy_options("rolling")) == {"batch_size": 3}


def test_a_strategy_may_carry_its_options_itself(write):
    write("application: a\nstrategy: {name: canary, increments: [100]}\nstrategies: {canary: {x: 1}}")
    config = load()
    assert plain(config.strategy_options("canary")) == {"x": 1, "increments": [100]}
    assert plain(config.strategy_options("rolling")) == {}


@pytest.mark.parametrize(
    "written", ["strategy", "=5", "strategy.=5", "environments.prod.kind=x", "environment=x", ".=1"]
)
def test_an_option_that_cannot_be_read(write, written):
    with pytest.raises(ConfigError, match="this option cannot be read") as caught:
        load(overrides=over(written, application="a"))
    assert caught.value.found == written


def test_an_option_of_nothing_known_tells_the_nearest(write):
    with pytest.raises(ConfigError, match="there is no key platfrom") as caught:
        load(overrides=over("platfrom.context=x", application="a"))
    assert caught.value.where.startswith("--option platfrom.context=x")
    assert "did you mean platform?" in caught.value.remedy


RELEASES = [
    ("", {"version": "2"}, ("2", "")),
    ("release: {version: 1.10}", {}, ("1.10", "")),
    ("release: {image: r:5000/a}", {"version": "2"}, ("2", "r:5000/a")),
    ("release: {image: 'r:5000/a:1'}", {}, ("1", "r:5000/a:1")),
    ("release: {image: 'r:5000/a:1'}", {"image_tag": "2"}, ("2", "r:5000/a:2")),
    ("release: {image: 'r/a:1', version: 1}", {"image_tag": "2"}, ("2", "r/a:2")),
    ("release: {image: 'r/a:1', version: 1}", {"version": "2"}, ("2", "r/a:2")),
    ("release: {image: 'r/a:1', version: 1}", {"image": "q/b:3"}, ("3", "q/b:3")),
    ("release: {image: 'r/a', version: 1}", {"image": "q/b"}, ("1", "q/b")),
    (
        "release: {version: 1}",
        {"image": "a@sha256:0123456789abcdef"},
        ("0123456789ab", "a@sha256:0123456789abcdef"),
    ),
    ("release: {version: 1}", {"image": "q/b:3", "version": "v3"}, ("v3", "q/b:3")),
    ("release: {image: 'r/a@sha256:00'}", {"image_tag": "2"}, ("2", "r/a:2")),
    ("", {"image_tag": "2"}, ("2", "")),
]


@pytest.mark.parametrize(("text", "flags", "wanted"), RELEASES)
def test_what_is_to_run(write, text, flags, wanted):
    write(f"application: a\n{text}")
    release = load(overrides=over(**flags)).release
    assert (release.version, release.image) == wanted


@pytest.mark.parametrize("image", ["r/a:build-7', version: '1", "r/a@sha256:00"])
def test_a_version_beside_an_image_of_something_else_is_refused(write, image):
    write(f"application: a\nrelease: {{image: '{image}'}}")
    with pytest.raises(ConfigError, match="which image is this version") as caught:
        load(overrides=over(version="2"))
    assert caught.value.where == "uno.yaml:2, release.image"


BAD = {
    "platfrom: local": "did you mean platform?",
    "hooks: {before_deploi: {run: [a]}}": "did you mean before_deploy?",
    "hooks: {before_deploy: {run: ./migrate.sh}}": "write run: [./migrate.sh]",
    "hooks: {before_deploy: {run: []}}": "a command: run: [./migrate.sh]",
    "hooks: {on_rollback: {run: [a], timeout: 0}}": "greater than 0",
    "hooks: {on_rollback: {run: [a], on_failure: stop}}": "one of rollback, continue",
    "rollback: {forbid_after: on_rollback}": "one of before_deploy, before_traffic",
    "companions: worker": "write companions: [worker]",
    "lock_timeout: soon": "a duration",
    "require_digest: 1": "true or false",
    "notify:": "notify names nobody",
    "notify: [ci, {url: x}]": "notify[1] names nobody",
    "notify: [[ci]]": "notify[0] names nobody",
    "environments: {prod: {notifi: []}}": "did you mean notify?",
    "environments: {prod: {strategi: x}}": "there is no key environments.prod.strategi",
    "environments: {prod: {environments: {}}}": "there is no key environments.prod.environments",
    "environments: {prod: 5}": "environments.prod is a mapping",
    "environments: [prod]": "environments is a mapping of names",
    "environments: {eu: {kind: prodution}}": "did you mean production?",
    "environments: {eu: {}}": "nobody knows what the environment eu is for",
    "uno: 2": "uno: 1",
    "environment: a/b": "environment is not what it has to be",
    "platform: {context: x}": "platform names nobody",
    "platform: [a]": "platform names nobody",
    "platform:": "platform names nobody",
    "platform: {name: [a]}": "platform.name is no name",
    "traffic: ~": "traffic names nobody",
    "traffic: {name: none, listen: x}": "traffic: none has no options",
    "strategies: {canary: 5}": "strategies.canary is a mapping",
    "strategies: [canary]": "strategies is a mapping",
    "plugins: {canary: acme}": "chooses nothing",
    "plugins: {strategi.canary: acme}": "did you mean strategy?",
    "plugins: [a]": "plugins is not what it has to be",
    "on_interrupt: stop": "one of rollback, hold",
    "evidence_timeout: soon": "a duration",
    "evidence_timeout: 0": "greater than 0",
    "release: {tag: x}": "release knows no key tag",
}


@pytest.mark.parametrize(("text", "told"), BAD.items(), ids=list(BAD))
def test_what_is_wrong_is_told_with_its_line(write, text, told):
    write(f"application: a\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load()
    assert told in str(caught.value)
    assert caught.value.where.startswith("uno.yaml:2")


def test_every_mistake_of_the_file_is_told_at_once(write):
    write("uno: 3\nplatfrom: x\non_interrupt: y\nenvironments: {dev: {hooks: 1}}")
    with pytest.raises(ConfigErrors) as caught:
        load()
    assert len(caught.value.errors) == 5


def test_the_choices_are_read_from_a_file_that_is_otherwise_wrong(write):
    write("nonsense: 1\nplugins: {strategy.canary: acme, x: [1]}")
    assert load_choices() == {"strategy.canary": "acme"}
    write("a: [", "other.yaml")
    assert load_choices(Path("other.yaml")) == {}
    assert load_choices(Path("not-there.yaml")) == {}


def test_the_examples_of_the_documentation_differ_only_in_what_is_later_work(write):
    write(
        """
uno: 1
application: shop
platform: {name: local, root: /srv/shop, artifact: "releases/{version}", instances: 4,
           command: [./shop, --port, "{port}"], env_file: /etc/shop.env, grace: 30s}
traffic: {listen: "0.0.0.0:8080"}
strategy: canary
health: {name: http, url: "http://{host}:{port}/health"}
"""
    )
    config = load()
    assert isinstance(config, Config)
    assert config.health
    assert plain(config.health.options) == {"url": "http://{host}:{port}/health"}


def test_a_list_is_no_configuration(write):
    write("- a")
    with pytest.raises(ConfigError, match="a configuration is a mapping"):
        load()


def test_a_configuration_made_in_code():
    from uno_core.config.load import load_node

    config = load_node(nodes.from_value({"application": "a", "platform": {"name": "local", "root": "/srv"}}))
    assert config.platform
    assert plain(config.platform.options) == {"root": "/srv"}
