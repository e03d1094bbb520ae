"""What gets the release beside the slots: workers, daemons and jobs of the same namespace."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from uno_core import ConfigError, PlatformError, Release
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.platform import KubernetesPlatform

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

NEW = Release("0.2", "example.com/shop:0.2")


@pytest.fixture
def platform_with(there, services, objects):
    """Of an application with a worker of the same image, one of another, and a job."""
    made = []
    pod = objects.pod_spec(
        objects.container("0.1"), {"name": "proxy", "image": "example.com/proxy:7", "command": ["x"]}
    )
    there.make(
        objects.deployment("shop", objects.pod_spec(objects.container("0.1")), replicas=1),
        objects.service("shop"),
        objects.deployment("worker", objects.pod_spec(objects.container("0.1")), replicas=2),
    )
    other = objects.deployment("mailer", objects.pod_spec(objects.container("0.1")), replicas=1)
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/mailer:0.1"
    there.make(other)
    there.apps.create_namespaced_stateful_set(there.name, {
        "metadata": {"name": "queue"},
        "spec": {**objects.deployment("queue", replicas=1)["spec"], "serviceName": "queue"},
    })  # fmt: skip
    job = {"template": {"spec": {**pod, "restartPolicy": "Never"}}}
    there.batch.create_namespaced_cron_job(there.name, {
        "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}},
    })  # fmt: skip
    there.rolled_out("worker", 2)
    there.rolled_out("mailer", 1)

    def platform_with(**more):
        options = KubernetesOptions(
            kubeconfig=str(there.cluster.kubeconfig), namespace=there.name, **{"adopt": True, **more}
        )
        made.append(KubernetesPlatform(options, evolve(services, platform_options=options)))
        return made[-1].companions

    yield platform_with
    for one in made:
        one.close()


@pytest.fixture
def companions(platform_with):
    return platform_with()


def images(there, name):
    pod = there.apps.read_namespaced_deployment(name, there.name).spec.template.spec
    return [one.image for one in pod.containers]


def test_a_worker_gets_the_release_and_is_put_back(there, companions, until):
    before = companions.observe("deployment/worker")
    assert (before.release.version, before.ready) == ("0.1", True)
    companions.update("deployment/worker", NEW)
    companions.update("deployment/worker", NEW)
    now = until(lambda: (s := companions.observe("deployment/worker")).ready and s)
    assert now.release.version == "0.2"
    assert images(there, "worker") == ["example.com/shop:0.2"]
    companions.restore("deployment/worker", json.loads(json.dumps(before.captured)))
    until(lambda: (s := companions.observe("deployment/worker")).ready and s.release.version == "0.1")
    template = there.apps.read_namespaced_deployment("worker", there.name).spec.template
    assert not template.metadata.annotations, "nothing of uno's is left on it"


def test_one_of_another_repository_keeps_it(there, companions):
    companions.update("deployment/mailer", NEW)
    assert images(there, "mailer") == ["example.com/mailer:0.2"]


def test_the_job_takes_the_new_template_at_once_and_its_sidecar_is_left_alone(there, companions):
    companions.update("cronjob/nightly", NEW)
    state = companions.observe("cronjob/nightly")
    assert (state.release.version, state.ready) == ("0.2", True)
    job = there.batch.read_namespaced_cron_job("nightly", there.name).spec.job_template.spec
    assert [c.image for c in job.template.spec.containers] == ["example.com/shop:0.2", "example.com/proxy:7"]


def test_a_set_is_waited_for(companions, until):
    companions.update("statefulset/queue", NEW)
    until(lambda: (s := companions.observe("statefulset/queue")).ready and s.release.version == "0.2")


def test_one_that_cannot_start_says_why(companions, until):
    companions.update("deployment/worker", Release("0.3-crash", "example.com/shop:0.3-crash"))
    state = until(lambda: (s := companions.observe("deployment/worker")).given_up and s)
    assert not state.ready
    assert "it ended with 1" in state.reason


def test_what_somebody_else_owns_is_refused_until_uno_may_take_it(there, platform_with, companions):
    with pytest.raises(ConfigError, match="somebody else owns") as raised:
        platform_with(adopt=False).observe("deployment/worker")
    assert "containers[app].image of deployment/worker (tests)" in raised.value.found
    companions.update("deployment/worker", NEW)
    taken = there.apps.read_namespaced_deployment("worker", there.name).metadata.annotations
    assert taken["uno.dev/adopted"] == "spec.template.spec.containers[app].image"
    assert platform_with(adopt=False).observe("deployment/worker").release.version == "0.2"


def test_what_git_keeps_as_it_is_is_refused(there, platform_with, companions):
    body = {"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}}
    there.apps.patch_namespaced_deployment("worker", there.name, body)
    with pytest.raises(ConfigError, match="Flux keeps deployment/worker as it is"):
        platform_with().observe("deployment/worker")
    assert platform_with(gitops="cooperate").observe("deployment/worker").ready


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deployment/nobody", "mailer, shop, worker"),
        ("job/nightly", "job/nightly"),
        ("worker", "worker"),
    ],
)
def test_one_that_is_not_there_is_told_with_those_that_are(companions, name, words):
    with pytest.raises(ConfigError) as raised:
        companions.observe(name)
    assert raised.value.found == words


def test_the_application_is_no_companion_of_its_own(companions):
    with pytest.raises(ConfigError, match="what uno releases itself"):
        companions.observe("deployment/shop")


def test_what_was_captured_elsewhere_is_refused(companions):
    with pytest.raises(PlatformError, match="not captured by this platform"):
        companions.restore("deployment/worker", {"something": "else"})
