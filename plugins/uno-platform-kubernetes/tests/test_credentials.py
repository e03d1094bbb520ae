"""Who uno is to a real apiserver: kubeconfigs, plugins, impersonation, and what of it ends meanwhile."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from uno_core import ConfigError, Forbidden
from uno_core.clock import SystemClock
from uno_platform_kubernetes import credentials
from uno_platform_kubernetes.api import Api
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.permissions import WHO

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

WHOAMI = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}

PLUGIN = """\
import json, os, pathlib, sys
here = pathlib.Path(sys.argv[1])
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
runs = here / "runs"
number = len(runs.read_text()) if runs.exists() else 0
runs.write_text("." * (number + 1))
answers = sorted(here.glob("answer-*"))
answer = answers[min(number, len(answers) - 1)].read_text()
if answer.startswith("fail:"):
    sys.exit(answer[5:])
print(json.dumps({"apiVersion": asked["apiVersion"], "kind": "ExecCredential", "status": json.loads(answer)}))
"""
"""Hands out what lies in its folder, one after the other, and the last of it for good."""


class Clock(SystemClock):
    """The machine's, with a wall that a test moves, and waits that it sees."""

    def __init__(self):
        self.later = timedelta()
        self.elapsed = 0.0

    def now(self):
        return super().now() + self.later

    def monotonic(self):
        return super().monotonic() + self.elapsed


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def config(there):
    """The administrator's kubeconfig as a document."""
    return yaml.safe_load(Path(there.cluster.kubeconfig).read_text("utf-8"))


@pytest.fixture
def api(tmp_path, clock, monkeypatch):
    """Asks as a kubeconfig says: a document, or a path as KUBECONFIG has it."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    made = []

    def api(document=None, context=""):
        path = tmp_path / "kubeconfig"
        if document is not None:
            path.write_text(yaml.safe_dump(document))
        given = {} if document is None else {"kubeconfig": str(path)}
        made.append(Api(KubernetesOptions(context=context, **given), clock))
        return made[-1]

    yield api
    for one in made:
        one.close()


@pytest.fixture
def token(there):
    """A token that the cluster knows, of a service account of its own."""
    from kubernetes import client

    def token(name="robot"):
        if not [one for one in there.core.list_namespaced_service_account(there.name).items
                if one.metadata.name == name]:  # fmt: skip
            there.core.create_namespaced_service_account(there.name, {"metadata": {"name": name}})
        body = client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=["https://kubernetes.default.svc"])
        )
        return there.core.create_namespaced_service_account_token(name, there.name, body).status.token

    return token


@pytest.fixture
def plugin(tmp_path, config):
    """A kubeconfig whose user logs in by a plugin that gives these answers; and how often it was run."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    (folder / "login.py").write_text(PLUGIN)

    def plugin(*answers):
        for number, answer in enumerate(answers):
            text = answer if isinstance(answer, str) else json.dumps(answer)
            (folder / f"answer-{number}").write_text(text)
        run = {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": sys.executable, "args": [str(folder / "login.py"), str(folder)],
        }  # fmt: skip
        config["users"][0]["user"] = {"exec": run}
        return config

    plugin.runs = lambda: len((folder / "runs").read_text())
    return plugin


def whoami(api):
    told = api.create(WHO, WHOAMI)["status"]["userInfo"]
    return told["username"], set(told.get("groups") or ())


def robot(there, name="robot"):
    return f"system:serviceaccount:{there.name}:{name}"


def ending(token, seconds):
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"token": token, "expirationTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


# Kubeconfigs


def test_the_current_context_of_several_files_is_the_first_ones(api, config, there, tmp_path, monkeypatch):
    """As kubectl has it: what comes last would be another cluster."""
    away = {"name": "away", "cluster": {"server": "https://127.0.0.1:1"}}
    files = {
        "first": {"current-context": "here", "contexts": [
            {"name": "here", "context": {"cluster": "test", "user": "admin", "namespace": "mine"}}]},
        "second": {"clusters": config["clusters"], "users": config["users"]},
        "third": {"current-context": "away", "clusters": [away], "contexts": [
            {"name": "away", "context": {"cluster": "away", "user": "admin"}}]},
    }  # fmt: skip
    for name, document in files.items():
        (tmp_path / name).write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **document}))
    paths = ":".join(str(tmp_path / name) for name in ("missing", *files))
    monkeypatch.setenv("KUBECONFIG", paths)
    assert whoami(api())[0] == "admin"
    assert api().namespace == "mine"
    assert api(context="away").namespace == "default"


def test_a_context_that_is_not_there_is_told_with_those_that_are(api, config):
    with pytest.raises(ConfigError) as problem:
        whoami(api(config, context="prod"))
    assert "contexts: test" in problem.value.found
    assert "a context prod" in problem.value.expected


@pytest.mark.parametrize("text", ["", "{", "- one", "contexts: 7", "current-context: test"])
def test_what_is_no_kubeconfig_is_an_error_of_the_configuration(tmp_path, clock, text):
    (tmp_path / "broken").write_text(text)
    with pytest.raises(ConfigError, match="the kubeconfig cannot be used"):
        whoami(Api(KubernetesOptions(kubeconfig=str(tmp_path / "broken")), clock))


def test_whoever_is_impersonated_is_who_asks(api, config, there):
    """With the rights of an administrator more would be permitted than was meant."""
    config["users"][0]["user"] |= {"as": "deployer", "as-groups": ["web", "on-call"]}
    mine = api(config)
    name, groups = whoami(mine)
    assert name == "deployer"
    assert {"web", "on-call"} <= groups
    with pytest.raises(Forbidden, match=r"User .deployer. cannot list") as problem:
        mine.get(f"/api/v1/namespaces/{there.name}/pods")
    assert problem.value.exit_code == 9


def test_a_token_file_is_read_again_when_what_it_held_is_no_longer_known(api, config, token, tmp_path, clock):
    """Editors end a file with a line break, which no header may hold."""
    (tmp_path / "token").write_text("made-up\n")
    config["users"][0]["user"] = {"tokenFile": str(tmp_path / "token")}
    mine = api(config)
    with pytest.raises(Forbidden, match="does not know this user"):
        whoami(mine)
    (tmp_path / "token").write_text(token() + "\n")
    clock.elapsed = credentials.PAUSE + 1
    assert whoami(mine)[0].endswith(":robot")


# Plugins


def test_a_plugin_logs_in_once_for_as_long_as_its_token_lasts(api, plugin, there, token, clock):
    mine = api(plugin(ending(token(), 30), ending(token("other"), 3600)))
    for _ in range(3):
        assert whoami(mine)[0] == robot(there)
    assert plugin.runs() == 1
    clock.later = timedelta(seconds=20)
    for _ in range(3):
        assert whoami(mine)[0] == robot(there, "other")
    assert plugin.runs() == 2


def test_who_is_not_known_any_more_logs_in_again_once_and_goes_on(api, plugin, there, token):
    mine = api(plugin({"token": "made-up"}, {"token": token()}))
    assert whoami(mine)[0] == robot(there)
    assert plugin.runs() == 2


def test_who_is_not_known_then_either_is_told_so_and_the_plugin_is_not_run_for_each_request(
    api, plugin, there, token, clock
):
    mine = api(plugin({"token": "made-up"}))
    for _ in range(3):
        with pytest.raises(Forbidden, match="does not know this user") as problem:
            mine.get("/api/v1/namespaces/default/pods")
        assert problem.value.exit_code == 9
    assert plugin.runs() == 2
    plugin({"token": token()})
    clock.elapsed = credentials.PAUSE + 1
    assert whoami(mine)[0] == robot(there)


def test_a_watch_logs_in_again_too(api, plugin, there, token, until):
    there.rbac.create_namespaced_role_binding(there.name, {
        "metadata": {"name": "view"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": there.name}],
    })  # fmt: skip
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
    there.rbac.create_namespaced_role(there.name, {"metadata": {"name": "view"}, "rules": rules})
    mine = api(plugin({"token": "made-up"}, {"token": token()}))
    path = f"/api/v1/namespaces/{there.name}/configmaps"
    asked = {"namespace": there.name, "verb": "watch", "resource": "configmaps"}
    review = {"spec": {"user": robot(there), "resourceAttributes": asked}}
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    until(lambda: there.cluster.api.post(reviews, review)["status"]["allowed"])
    assert [event["type"] for event in mine.watch(path, "0", 1)]
    assert plugin.runs() == 2


def test_a_plugin_may_give_a_certificate(api, plugin, there):
    known = yaml.safe_load(Path(there.cluster.kubeconfig_of("deployer", "web")).read_text("utf-8"))
    user = known["users"][0]["user"]
    answer = {
        "clientCertificateData": Path(user["client-certificate"]).read_text("utf-8"),
        "clientKeyData": Path(user["client-key"]).read_text("utf-8"),
    }
    assert whoami(api(plugin(answer)))[0] == "deployer"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("fail:your session has ended: run `sso login`", "your session has ended"),
        ({"note": "nothing"}, "neither a token nor a certificate"),
        ("7", "there is no status"),
        ({"token": "x", "expirationTimestamp": "soon"}, "soon"),
    ],
)
def test_a_plugin_that_cannot_log_in_is_told_in_its_own_words(api, plugin, answer, words):
    mine = api(plugin(answer))
    for _ in range(3):
        with pytest.raises(Forbidden, match="nobody could log in") as problem:
            whoami(mine)
    assert words in problem.value.found
    assert problem.value.exit_code == 9
    assert "login.py" not in problem.value.where, "an argument may be a secret"
    assert plugin.runs() == 1


def test_a_plugin_that_is_not_there_or_hangs_is_told(api, config, plugin, clock, monkeypatch):
    document = plugin({"token": "x"})
    document["users"][0]["user"]["exec"]["command"] = "no-such-login"
    with pytest.raises(Forbidden, match="no-such-login"):
        whoami(api(document))
    waits = ["-c", "import threading; threading.Event().wait(5)"]
    document["users"][0]["user"]["exec"] |= {"command": sys.executable, "args": waits}
    monkeypatch.setattr(credentials, "PATIENCE", 0.3)
    with pytest.raises(Forbidden) as problem:
        whoami(api(document))
    assert problem.value.found == "no answer within 0.3 s"


def test_what_is_good_for_a_while_yet_is_used_where_nobody_can_log_in_anew(api, plugin, there, token, clock):
    mine = api(plugin(ending(token(), 100), "fail:away"))
    assert whoami(mine)[0] == robot(there)
    clock.later = timedelta(seconds=60)
    assert whoami(mine)[0] == robot(there)
    assert plugin.runs() == 2
    clock.later = timedelta(seconds=101)
    with pytest.raises(Forbidden, match="away"):
        whoami(mine)


# In a pod


@pytest.fixture
def pod(there, tmp_path, monkeypatch):
    """As if uno ran in a pod; returns where its token lies."""
    from kubernetes.config import incluster_config

    config = yaml.safe_load(Path(there.cluster.kubeconfig).read_text("utf-8"))["clusters"][0]["cluster"]
    host, _, port = config["server"].removeprefix("https://").rpartition(":")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", config["certificate-authority"])
    monkeypatch.setattr(credentials, "NAMESPACE", tmp_path / "namespace")
    from kubernetes.config import kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    (tmp_path / "namespace").write_text("shop\n")
    return tmp_path / "token"


def test_in_a_pod_its_own_account_is_used_and_its_token_read_again_when_it_has_rotated(
    pod, there, token, clock
):
    pod.write_text("made-up")
    mine = Api(KubernetesOptions(), clock)
    assert mine.namespace == "shop"
    with pytest.raises(Forbidden, match="does not know this user"):
        whoami(mine)
    pod.write_text(token())
    clock.elapsed = credentials.PAUSE + 1
    assert whoami(mine)[0] == robot(there)
    mine.close()


def test_in_a_pod_without_a_token_that_is_told(pod, clock):
    with pytest.raises(ConfigError, match="the service account of this pod cannot be used"):
        whoami(Api(KubernetesOptions(), clock))
