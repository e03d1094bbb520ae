"""The kubelet, as the rules for pods have it: with the official client, and without uno."""

import time

import pytest

from tests.cluster.children import until
from tests.cluster.kubelet import UNSCHEDULABLE
from tests.cluster.manifests import READY, container, deployment, pod, pod_spec, service
from tests.cluster.namespaced import conditions

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]


def waiting(there, name):
    """Why the container of the pod waits, how often it was restarted, and how it ended last."""
    rows = there.pod(name).status.container_statuses
    if not rows or not rows[0].state.waiting:
        return "", 0, None
    return rows[0].state.waiting.reason, rows[0].restart_count, rows[0].last_state.terminated


def test_a_deployment_is_rolled_out_and_its_endpoints_are_its_pods(there):
    there.make(service("shop"), deployment("shop", replicas=3))
    found = there.rolled_out("shop", 3)
    assert conditions(found)["Available"][0] == "True"
    assert conditions(found)["Progressing"] == ("True", "NewReplicaSetAvailable")
    until(lambda: there.ready("shop"), {one.metadata.name for one in there.pods()})
    for one in there.pods():
        assert one.status.pod_ip.startswith("10.")
        assert one.status.phase == "Running"
    assert {row.addresses[0] for row in there.endpoints("shop")} == {p.status.pod_ip for p in there.pods()}


def test_another_image_rolls_through_a_second_replica_set(there):
    there.make(deployment("shop"))
    there.rolled_out("shop", 2)
    before = {one.metadata.name for one in there.pods()}
    patch = {
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "example.com/shop:2.0"}]}}}
    }
    there.apps.patch_namespaced_deployment("shop", there.name, patch)
    there.rolled_out("shop", 2)
    until(lambda: before & {one.metadata.name for one in there.pods()}, lambda left: not left)
    assert {one.spec.containers[0].image for one in there.pods()} == {"example.com/shop:2.0"}


def test_a_pod_is_in_service_while_its_probe_says_so(there, cluster):
    there.make(service("shop"), pod("shop"))
    there.serves(there.host("shop"), "1.0")
    assert cluster.ask(there.host("shop"), "/ready/no", method="POST")[0] == 200
    until(lambda: there.ready("shop"), set())
    assert conditions(there.pod("shop"))["Ready"] == ("False", "ContainersNotReady")
    assert there.pod("shop").status.phase == "Running"
    until(lambda: [e for e in there.events("shop") if e[0] == "Unhealthy" and "503" in e[1]])


def test_one_that_never_gets_ready_is_no_crash(there):
    there.make(service("shop"), deployment("shop", pod_spec(container("2.0-unready")), replicas=1))
    until(lambda: [one.status.phase for one in there.pods()], ["Running"])
    until(lambda: [e for e in there.events("shop") if e[0] == "Unhealthy" and "503" in e[1]])
    assert there.ready("shop") == set()
    assert there.pods()[0].status.container_statuses[0].restart_count == 0


@pytest.mark.parametrize(
    "probe",
    [{"tcpSocket": {"port": "web"}}, {"exec": {"command": ["true"]}}],
    ids=["tcp", "exec"],
)
def test_probes_of_other_kinds(there, probe):
    ports = [{"name": "web", "containerPort": 8080}]
    spec = pod_spec(container(readinessProbe=probe, startupProbe=READY, livenessProbe=READY, ports=ports))
    there.make(pod("shop", spec))
    until(lambda: conditions(there.pod("shop")).get("Ready", ("",))[0], "True")


def test_a_readiness_gate_holds_back_a_pod_until_somebody_opens_it(there):
    there.make(service("shop"), pod("shop", pod_spec(readinessGates=[{"conditionType": "example.com/in"}])))
    until(lambda: conditions(there.pod("shop")).get("ContainersReady"), ("True", None))
    assert conditions(there.pod("shop"))["Ready"] == ("False", "ReadinessGatesNotReady")
    assert there.ready("shop") == set()
    opened = {"status": {"conditions": [{"type": "example.com/in", "status": "True"}]}}
    there.core.patch_namespaced_pod_status("shop", there.name, opened)
    until(lambda: there.ready("shop"), {"shop"})


def test_one_that_terminates_is_out_of_service_while_pre_stop_lets_it_finish(there):
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    there.make(service("shop"), pod("shop", pod_spec(container(**hook))))
    until(lambda: there.ready("shop"), {"shop"})
    there.core.delete_namespaced_pod("shop", there.name)
    row = until(lambda: there.endpoints("shop")[0].conditions, lambda seen: not seen.ready)
    # It still answers who comes late: that is what the sleep is for.
    assert (row.terminating, row.serving) == (True, True)
    assert there.pod("shop").status.container_statuses[0].state.running
    until(there.pods, [])


def test_one_that_ignores_sigterm_is_killed_when_its_grace_is_over(there, cluster):
    there.make(pod("shop", pod_spec(container("1.0-deaf"), terminationGracePeriodSeconds=1)))
    until(lambda: conditions(there.pod("shop")).get("Ready", ("",))[0], "True")
    process = cluster.container(there.name, "shop")
    began = time.monotonic()
    there.core.delete_namespaced_pod("shop", there.name)
    until(there.pods, [])
    assert time.monotonic() - began >= 1
    assert process.done["exitCode"] == 137


def test_a_crash_loop_is_told_with_its_exit_code_and_last_lines(there):
    there.make(pod("shop", pod_spec(container("2.0-crash"))))
    _, restarts, last = until(lambda: waiting(there, "shop"), lambda seen: seen[0] == "CrashLoopBackOff")
    assert restarts >= 1
    assert (last.exit_code, last.reason) == (1, "Error")
    assert "database" in there.core.read_namespaced_pod_log("shop", there.name, tail_lines=1, previous=True)
    until(lambda: there.events("shop"), lambda seen: "BackOff" in dict(seen))
    assert there.pod("shop").status.phase == "Running"


def test_a_container_that_dies_once_is_restarted(there, cluster):
    there.make(service("shop"), pod("shop"))
    there.serves(there.host("shop"), "1.0")
    cluster.ask(there.host("shop"), "/die", method="POST")
    status = until(
        lambda: there.pod("shop").status.container_statuses[0], lambda seen: seen.restart_count and seen.ready
    )
    assert (status.restart_count, status.last_state.terminated.exit_code) == (1, 3)


def test_an_image_that_is_missing_backs_off(there):
    there.make(pod("shop", pod_spec(container("missing"))))
    until(lambda: waiting(there, "shop")[0], "ImagePullBackOff")
    seen = until(lambda: there.events("shop"), lambda seen: {"Failed", "BackOff"} <= {r for r, _ in seen})
    assert any("Failed to pull image" in message for _, message in seen)
    assert there.pod("shop").status.phase == "Pending"


@pytest.mark.parametrize("way", ["annotation", "cpu", "selector"])
def test_what_fits_nowhere_stays_pending(there, way):
    too_much = {"resources": {"requests": {"cpu": "100"}}} if way == "cpu" else {}
    selector = {"nodeSelector": {"disk": "fast"}} if way == "selector" else {}
    made = pod("shop", pod_spec(container(**too_much), **selector))
    if way == "annotation":
        made["metadata"]["annotations"] = {UNSCHEDULABLE: "true"}
    there.make(made)
    until(lambda: conditions(there.pod("shop")).get("PodScheduled"), ("False", "Unschedulable"))
    message = until(lambda: dict(there.events("shop")).get("FailedScheduling"))
    assert message.startswith("0/2 nodes are available: 2 ")
    assert ("Insufficient cpu" in message) == (way == "cpu")
    assert there.pod("shop").status.phase == "Pending"


def test_configuration_and_secrets_reach_the_process(there, cluster):
    there.core.create_namespaced_config_map(
        there.name, {"metadata": {"name": "c"}, "data": {"COLOUR": "red"}}
    )
    there.core.create_namespaced_secret(
        there.name, {"metadata": {"name": "s"}, "stringData": {"key": "open"}}
    )
    env = [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "BOTH", "value": "$(COLOUR)-$(KEY)"},
    ]
    more = {"env": env, "envFrom": [{"configMapRef": {"name": "c"}}]}
    there.make(service("shop"), pod("shop", pod_spec(container(**more))))
    there.serves(there.host("shop"), "1.0")
    assert cluster.ask(there.host("shop"), "/env/BOTH")[1] == "red-open\n"
    assert cluster.ask(there.host("shop"), "/env/IP")[1].strip() == there.pod("shop").status.pod_ip


def test_a_command_of_its_own_finds_files_and_what_ran_before_it(there, cluster):
    there.core.create_namespaced_config_map(
        there.name, {"metadata": {"name": "c"}, "data": {"colour": "red"}}
    )
    first = {"name": "first", "image": "tools", "command": ["sh", "-c", "echo first; exit $(CODE)"]}
    first["env"] = [{"name": "CODE", "value": "0"}]
    own = {
        "command": ["sh", "-c"],
        "args": ["cat $UNO_TEST_ROOT/etc/shop/colour; exec sleep 60"],
        "volumeMounts": [{"name": "files", "mountPath": "/etc/shop"}],
        "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "echo bye >$UNO_TEST_ROOT/../bye"]}}},
        "readinessProbe": None,
    }
    files = [{"name": "files", "configMap": {"name": "c"}}]
    there.make(pod("shop", pod_spec(container(**own), initContainers=[first], volumes=files)))
    until(lambda: conditions(there.pod("shop")).get("Ready", ("",))[0], "True")
    until(lambda: there.core.read_namespaced_pod_log("shop", there.name, container="app"), "red")
    assert there.core.read_namespaced_pod_log("shop", there.name, container="first") == "first\n"
    assert there.pod("shop").status.init_container_statuses[0].state.terminated.exit_code == 0
    process = cluster.container(there.name, "shop")
    there.core.delete_namespaced_pod("shop", there.name)
    until(there.pods, [])
    assert (process.folder / "bye").read_text() == "bye\n"


def test_one_that_ends_well_and_is_not_restarted_has_succeeded(there):
    done = {"command": ["true"], "readinessProbe": None}
    there.make(pod("shop", pod_spec(container(**done), restartPolicy="Never")))
    until(lambda: there.pod("shop").status.phase, "Succeeded")


def test_one_that_gets_sick_is_restarted_by_its_liveness_probe(there, cluster):
    alive = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    there.make(service("shop"), pod("shop", pod_spec(container("2.0-sick", livenessProbe=alive))))
    there.serves(there.host("shop"), "2.0-sick")
    until(lambda: there.pod("shop").status.container_statuses[0].restart_count)
    assert "Killing" in dict(there.events("shop"))


def test_a_reference_to_nothing_holds_up_the_container(there):
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "none", "key": "key"}}}]
    there.make(pod("shop", pod_spec(container(env=env))))
    until(lambda: waiting(there, "shop")[0], "CreateContainerConfigError")


def test_the_last_lines_of_a_log_come_by_way_of_the_apiserver(there):
    there.make(pod("shop"))
    until(lambda: conditions(there.pod("shop")).get("Ready", ("",))[0], "True")
    assert there.core.read_namespaced_pod_log("shop", there.name).splitlines()[0] == "1.0 starts"
    assert "listens on 127." in there.core.read_namespaced_pod_log("shop", there.name, tail_lines=1)
