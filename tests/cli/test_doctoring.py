"""`uno doctor`: for each thing that can be wrong a finding with its remedy, and nothing is touched."""

from __future__ import annotations

import signal
import threading

import ailing
import pytest
from doctored import about, looked, only

from uno_core import Condition, SystemClock
from uno_core.config.load import load
from uno_core.diagnosis import examine, exit_code
from uno_core.diagnosis.probing import LIMIT
from uno_core.errors import Unanswered
from uno_core.registry import Registry
from uno_core.session import Session

LONG = ("--option", "strategy.hold=1h")


def test_without_a_configuration_it_looks_at_what_is_installed(shop):
    (shop.root / "uno.yaml").unlink()
    said = shop.uno("doctor")
    assert said.code == 0
    assert "ok      uno-core: 0.1.0" in said.out
    assert "ok      plugin canary: uno-strategy-canary 0.1.0: strategy canary" in said.out
    assert "there is no uno.yaml here" in said.out
    assert said.out.endswith("all is well\n")


def test_a_broken_plugin_is_an_error_and_the_others_are_told_all_the_same(shop):
    shop.install("uno-strategy-torn", "[uno]\ntorn = no_such_module\n")
    code, findings = looked(shop)
    assert code == 1
    torn = only(findings, "plugin torn")
    assert torn["condition"] == "error"
    assert "no_such_module" in torn["found"]
    assert "pip install --force-reinstall uno-strategy-torn" in torn["remedy"]
    assert only(findings, "plugin canary")["condition"] == "ok"


def test_a_plugin_that_somebody_disabled_is_no_error(shop, monkeypatch):
    monkeypatch.setenv("UNO_DISABLE_PLUGINS", "canary")
    code, findings = looked(shop)
    assert code == 0
    assert "UNO_DISABLE_PLUGINS" in only(findings, "plugin canary")["found"]


def test_a_configuration_that_does_not_load_is_told_mistake_by_mistake(shop):
    with (shop.root / "uno.yaml").open("a") as file:
        file.write("strateggy: canary\ndrain_for: soon\n")
    code, findings = looked(shop)
    assert code == 2
    wrong = about(findings, "configuration")
    assert len(wrong) == 2
    assert "strateggy" in wrong[0]["found"]
    assert only(findings, "plugin canary")["condition"] == "ok"


def test_a_part_that_nobody_provides_is_told_and_the_rest_is_looked_at(ill):
    shop = ill(more="state: clouds")
    code, findings = looked(shop)
    assert code == 2
    assert "there is no state store clouds" in only(findings, "state")["found"]
    assert only(findings, "pulse")["condition"] == "ok"


def test_what_serves_is_told(ill):
    shop = ill()
    code, findings = looked(shop)
    assert code == 0
    assert "nothing is routed" in only(findings, "serving")["found"]
    shop.world.live("v1")
    _, findings = looked(shop)
    assert only(findings, "serving")["found"] == "v1 serves (blue 100 %, green 0 %), settled"


def test_two_slots_with_traffic_and_nobody_at_work(ill):
    shop = ill()
    shop.world.live("v1")
    with shop.world.change() as world:
        world["slots"]["green"] = world["slots"]["blue"]
        world["split"] = {"blue": 50.0, "green": 50.0}
    code, findings = looked(shop)
    assert code == 1
    serving = only(findings, "serving")
    assert "two slots have traffic" in serving["found"]
    assert "--stable SLOT" in serving["remedy"]


def test_instances_that_are_not_ready(ill):
    shop = ill(platform=", broken: [v1]")
    shop.world.live("v1")
    code, findings = looked(shop)
    assert code == 1
    assert "not ready: blue-v1-0: broken" in only(findings, "serving")["found"]


def test_a_platform_that_cannot_be_seen(ill):
    shop = ill()
    shop.world.live("v1")
    shop.world.fault("blind")
    code, findings = looked(shop)
    assert code == 1
    assert "the file cannot be read" in only(findings, "serving")["found"]
    assert only(findings, "serving")["remedy"] == "ask the test"
    assert not about(findings, "health")  # one cause is told once
    assert only(findings, "pulse")["condition"] == "ok"


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("fail", "it is ill; found a fever"),
        ("bug", "KeyError: 'nobody caught me'"),
        ("exit", "SystemExit: 3"),
        ("nonsense", "expected a Diagnosis, found 'all is well'"),
    ],
)
def test_a_platform_that_fails_to_say_how_it_is_stops_nobody_else(ill, does, words):
    shop = ill(platform=f", does: {does}")
    code, findings = looked(shop)
    assert code == 1
    (one,) = [f for f in about(findings, "platform") if f["condition"] == "error"]
    assert words in one["found"]
    assert only(findings, "strategy")["condition"] == "ok"
    assert about(findings, "state")


def test_what_was_found_before_a_failure_is_told_too(ill):
    code, findings = looked(ill(platform=", does: falter"))
    assert code == 1
    assert only(findings, "pulse")["condition"] == "ok"
    assert "it is ill" in about(findings, "platform")[-1]["found"]


def test_a_platform_is_asked_how_it_is_though_no_deployment_could_be_made_with_it(ill):
    code, findings = looked(ill(platform=", does: worldless"))
    assert code == 1
    assert only(findings, "pulse")["condition"] == "ok"
    assert "nobody knows what it can do" in about(findings, "platform")[-1]["found"]


def test_a_right_that_is_missing_is_an_end_of_its_own_and_told_once(ill):
    code, findings = looked(ill(platform=", does: forbid"))
    assert code == 9
    assert only(findings, "rights")["forbidden"]
    assert only(findings, "platform")["condition"] == "ok"


def test_a_warning_alone_is_no_failure(ill):
    shop = ill(platform=", does: warn")
    said = shop.uno("doctor")
    assert said.code == 0
    assert "warning blood: is thin\n          remedy: eat\n" in said.out
    assert "0 errors, " in said.out


class Impatient(SystemClock):
    """Gives up at once on whatever has begun to hang, as the real one does after its seconds."""

    def __init__(self):
        self.limits = []

    def within(self, seconds, call):
        self.limits.append(seconds)
        ended, answers = threading.Event(), []

        def work():
            try:
                answers.append((call(), None))
            except BaseException as problem:  # noqa: BLE001 - raised below
                answers.append((None, problem))
            ended.set()

        threading.Thread(target=work, daemon=True).start()
        while not ended.wait(0.01):
            if ailing.HANGS.is_set():
                ailing.HANGS.clear()
                raise Unanswered("no answer came in time", found=f"nothing within {seconds:g} s")
        value, problem = answers[0]
        if problem:
            raise problem
        return value


@pytest.mark.parametrize(
    ("options", "hanging"),
    [
        ({"platform": ", does: hang"}, "platform"),
        ({"more": "health: {name: ailing, does: hang}"}, "health"),
        ({"more": "metrics: {name: ailing, does: hang}"}, "metrics"),
    ],
)
def test_what_hangs_is_left_after_its_seconds_and_the_rest_is_looked_at(ill, options, hanging):
    shop = ill(**options)
    shop.world.live("v1")
    ailing.HANGS.clear()
    clock = Impatient()
    config = load(shop.root / "uno.yaml")
    found = list(examine(Session(config, Registry.discover(), clock=clock)))
    assert set(clock.limits) == {LIMIT}
    assert exit_code(found) == 1
    (one,) = [f.diagnosis for f in found if f.condition is Condition.ERROR]
    assert (one.about, one.found) == (hanging, "no answer within 5 s")
    assert {"strategy", "state"} <= {f.diagnosis.about for f in found}


@pytest.mark.parametrize(
    ("does", "condition", "words"),
    [
        ("well", "ok", "2 of blue answer, and are well"),
        ("sick", "error", "blue, which serves: blue-v1-0: sick; blue-v1-1: sick"),
        ("bug", "error", "the check failed: KeyError"),
    ],
)
def test_the_health_check_is_asked_at_the_live_slot(ill, does, condition, words):
    shop = ill(more=f"health: {{name: ailing, does: {does}}}")
    shop.world.live("v1")
    code, findings = looked(shop)
    assert code == (condition == "error")
    one = only(findings, "health")
    assert (one["condition"], words in one["found"]) == (condition, True)


@pytest.mark.parametrize(
    ("does", "condition", "words"),
    [
        ("well", "ok", "ailing answers: 10 requests"),
        ("silent", "warning", "nobody measures"),
        ("fail", "error", "it is ill"),
    ],
)
def test_the_metric_provider_is_asked(ill, does, condition, words):
    shop = ill(more=f"metrics: {{name: ailing, does: {does}}}")
    shop.world.live("v1")
    code, findings = looked(shop)
    assert code == (condition == "error")
    one = next(one for one in about(findings, "metrics") if words in one["found"])
    assert one["condition"] == condition
    if does != "fail":
        assert only(findings, "thermometer")["condition"] == "ok"


@pytest.mark.parametrize(
    ("does", "bound", "condition", "words"),
    [
        ("well", "cpu: 2", "ok", "10 requests, cpu"),
        ("well", "queue: 2", "error", "does not give queue"),
        ("idle", "error_rate: 1%", "warning", "counted no request"),
    ],
)
def test_the_configured_metrics_have_to_be_given(ill, does, bound, condition, words):
    shop = ill(
        more=f"metrics: {{name: ailing, does: {does}}}\n"
        f"strategies: {{canary: {{metrics_threshold: {{{bound}}}}}}}"
    )
    shop.world.live("v1")
    _, findings = looked(shop, "--strategy", "canary")
    one = only(findings, "metrics")
    assert (one["condition"], words in one["found"]) == (condition, True)


def test_a_secret_that_is_missing_is_named_and_one_that_is_there_is_not_told(ill, monkeypatch):
    shop = ill(platform=', token: "${SHOP_TOKEN}"')
    code, findings = looked(shop)
    assert code == 1
    assert "SHOP_TOKEN is not set" in only(findings, "secret of platform")["found"]
    monkeypatch.setenv("SHOP_TOKEN", "very-secret")
    said = shop.uno("doctor")
    assert said.code == 0
    assert "secret of platform: ${SHOP_TOKEN} is there" in said.out
    assert "very-secret" not in said.out + said.err


def test_the_commands_of_hooks_are_looked_for(ill):
    shop = ill(
        more="hooks: {before_deploy: {run: [./migrate.sh]}, after_traffic: {run: [sh]},"
        " on_rollback: {run: [no-such-1]}}"
    )
    code, findings = looked(shop)
    assert code == 1
    assert f"there is no file {shop.root / 'migrate.sh'}" in only(findings, "hook before_deploy")["found"]
    assert only(findings, "hook after_traffic")["condition"] == "ok"
    assert "no-such-1 is not on the PATH" in only(findings, "hook on_rollback")["found"]
    script = shop.root / "migrate.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o644)
    _, findings = looked(shop)
    assert only(findings, "hook before_deploy")["remedy"] == f"chmod +x {script}"
    script.chmod(0o755)
    _, findings = looked(shop)
    assert only(findings, "hook before_deploy")["condition"] == "ok"


def test_a_deployment_that_nobody_drives(shop):
    shop.left(*LONG)
    code, findings = looked(shop)
    assert code == 1
    one = only(findings, "deployments")
    assert "shop-test-1: v2, " in one["found"]
    assert "nobody drives it" in one["found"]
    assert "`uno resume`" in one["remedy"]
    assert only(findings, "lock")["found"] == "nobody holds it"


def test_a_driver_that_lives_and_one_that_stands_still(shop):
    process = shop.begun(*LONG)
    code, findings = looked(shop)
    assert code == 0
    assert only(findings, "lock")["found"].endswith("alive")
    assert "a deployment is under way" in only(findings, "serving")["found"]
    shop.stopped(process)
    _, findings = looked(shop)
    lock = only(findings, "lock")
    assert lock["condition"] == "warning"
    assert f"kill -CONT {process.pid}" in lock["remedy"]
    process.send_signal(signal.SIGCONT)
    assert shop.uno("abort").code == 0
    assert shop.end(process).code == 3


def test_a_lease_of_a_dead_driver_is_an_error(shop):
    with (shop.root / "uno.yaml").open("a") as file:
        file.write("state: leased\n")
    shop.left(*LONG)
    code, findings = looked(shop)
    assert code == 1
    lock = only(findings, "lock")
    assert "which is dead" in lock["found"]
    assert "uno unlock --force" in lock["remedy"]
