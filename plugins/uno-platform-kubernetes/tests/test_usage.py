"""What pods use, by a real apiserver and a metrics.k8s.io that says what a test has it say."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from attrs import evolve

from uno_core import ConfigError, Forbidden, NoData, PlatformError, Query, Release, Slot
from uno_core.clock import SystemClock
from uno_core.testing import MetricProviderContract
from uno_platform_kubernetes.options import KubernetesOptions, KubernetesTraffic, UsageOptions
from uno_platform_kubernetes.platform import KubernetesPlatform
from uno_platform_kubernetes.plugin import uno_register_metric_providers
from uno_platform_kubernetes.usage import KubernetesUsage

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

BLUE, GREEN = Slot.BLUE, Slot.GREEN
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def shop(cluster, kubernetes_client):
    """A namespace with three pods that serve, for all tests of this module."""
    namespaced = pytest.importorskip("tests.cluster.namespaced")
    objects = pytest.importorskip("tests.cluster.manifests")
    name = f"usage-{os.getpid()}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    there = namespaced.Namespaced(name, cluster, kubernetes_client)
    beside = {"name": "side", "image": "example.com/side:1.0", "env": [{"name": "PORT", "value": "9090"}]}
    spec = objects.pod_spec(objects.container("1.0"), beside)
    there.make(objects.deployment("shop", spec, replicas=3), objects.service("shop"))
    there.rolled_out("shop", 3)
    yield there
    cluster.metrics.stop()
    cluster.api.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def metrics(cluster, shop):
    """Served from the first test that asks for it on, and well at the beginning of each."""
    metrics = cluster.metrics
    if not metrics.served:
        metrics.stop()
        metrics.start()
    metrics.heal()
    metrics.use(shop.name, "shop", cpu="70m", memory="5Mi")
    yield metrics
    if metrics.ails == "slow":
        metrics.heal()


@pytest.fixture
def at(shop):
    """The platform's options."""
    return KubernetesOptions(
        kubeconfig=str(shop.cluster.kubeconfig), namespace=shop.name, container="app", adopt=True,
        traffic=KubernetesTraffic(router="service", grace=0.0),
    )  # fmt: skip


@pytest.fixture
def platform(at, services):
    made = KubernetesPlatform(at, evolve(services, platform_options=at))
    yield made
    made.close()


@pytest.fixture
def read(at, services):
    """The provider, as somebody else, at another time or with other options where that is said."""
    made = []

    def read(kubeconfig=None, clock=None, **options):
        platform = evolve(at, kubeconfig=str(kubeconfig)) if kubeconfig else at
        handed = evolve(services, platform_options=platform, clock=clock or services.clock)
        made.append(KubernetesUsage(UsageOptions(**options), handed))
        return made[-1]

    yield read
    for one in made:
        one.close()


@pytest.fixture
def query(application):
    return Query(application=application.name, environment=application.environment, slot=BLUE,
                 version="1.0")  # fmt: skip


class TestProvider(MetricProviderContract):
    @pytest.fixture
    def provider(self, read, metrics):
        return read()

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def query(self, query):
        return query

    @pytest.fixture
    def ailing(self, read, metrics):
        def ailing(how):
            metrics.ail(how)
            return read(timeout=1.0)

        return ailing


class Shifted(SystemClock):
    """The clock of a machine that is not of the cluster's time."""

    def __init__(self, seconds):
        self.seconds = seconds

    def now(self):
        return super().now() + timedelta(seconds=self.seconds)


def test_a_slot_is_the_sum_of_its_pods_and_each_pod_of_its_containers(read, metrics, query):
    told = read().sample(query)
    assert told.figures.values == pytest.approx(
        {
            "cpu": 0.42, "cpu_per_pod": 0.14, "cpu_per_pod_max": 0.14,
            "memory": 30 * MIB, "memory_per_pod": 10 * MIB, "memory_per_pod_max": 10 * MIB,
        }
    )  # fmt: skip
    assert not told.figures.requests


def test_the_pod_that_uses_most_is_seen_beside_the_mean(read, metrics, query, shop):
    greedy = shop.pods()[0].metadata.name
    metrics.use(shop.name, greedy, cpu="100000000n", memory="1e7")
    values = read().sample(query).figures.values
    assert values["memory_per_pod_max"] == pytest.approx(2e7)
    assert values["cpu_per_pod_max"] == pytest.approx(0.2)
    assert values["cpu_per_pod"] == pytest.approx(0.48 / 3)


def test_one_ready_pod_without_a_sample_and_nothing_is_told(read, metrics, query, shop):
    first, second, third = sorted(pod.metadata.name for pod in shop.pods())
    metrics.usages.clear()
    for name in (first, second):
        metrics.use(shop.name, name)
    told = read().sample(query)
    assert told == NoData(f"no reading of 1 of 3 pods in blue: {third}: it has none yet")


@pytest.mark.parametrize(("shift", "words"), [(120, "s old"), (-120, "s from now")])
def test_what_was_measured_long_ago_or_is_yet_to_come_says_nothing(read, metrics, query, shift, words):
    told = read(clock=Shifted(shift)).sample(query)
    assert isinstance(told, NoData)
    assert words in told.reason
    assert "by the clock of this machine" in told.reason


def test_a_sample_of_before_the_pod_is_not_its_own(read, metrics, query):
    metrics.age = 3600
    told = read(stale=7200.0).sample(query)
    assert isinstance(told, NoData)
    assert "of before it was started" in told.reason


def test_a_container_that_nobody_measured_leaves_its_pod_unknown(read, metrics, query):
    metrics.ail("partial")
    told = read().sample(query)
    assert "nothing of its container side" in told.reason


def test_pods_of_another_slot_or_release_are_left_out(read, metrics, query, platform, until):
    def is_there(release):
        return [i for i in platform.workload.observe().slots[GREEN].instances if i.release == release]

    platform.prepare()
    metrics.use(platform.cluster.namespace, "shop-green", cpu="1", memory="1Gi")
    release = platform.workload.resolve(Release("2.0"))
    platform.workload.converge(GREEN, {release: 1})
    until(lambda: any(one.ready for one in is_there(release)))
    provider = read()
    assert provider.sample(query).figures.values["cpu"] == pytest.approx(0.42)
    green = evolve(query, slot=GREEN, version="2.0", metrics=("cpu",))
    assert provider.sample(green).figures.values == {"cpu": pytest.approx(2)}
    assert provider.sample(evolve(green, version="1.0")) == NoData("no pod of 1.0 is ready in green")
    # One that never gets ready serves nobody: its reading is neither told nor waited for.
    bad = platform.workload.resolve(Release("3.0-unready"))
    platform.workload.converge(GREEN, {bad: 1})
    until(lambda: is_there(bad))
    told = provider.sample(evolve(green, version="3.0-unready"))
    assert told == NoData("no pod of 3.0-unready is ready in green")


def test_a_cluster_that_does_not_serve_it_is_told_before_anything_is_begun(read, query, cluster):
    cluster.metrics.stop()
    provider = read()
    with pytest.raises(ConfigError, match="serves no metrics of pods"):
        provider.assure()
    with pytest.raises(ConfigError, match="serves no metrics of pods"):
        provider.sample(query)
    (found,) = provider.diagnose()
    assert found.condition == "error"
    assert "metrics-server" in found.remedy


def test_served_and_not_permitted_names_the_right(read, metrics, cluster):
    provider = read(cluster.kubeconfig_of("nobody"))
    with pytest.raises(Forbidden) as problem:
        provider.assure()
    assert "apiGroups: [metrics.k8s.io]" in str(problem.value)
    (found,) = provider.diagnose()
    assert found.condition == "error"
    (well,) = read().diagnose()
    assert well.condition == "ok"


def test_served_by_nobody_who_answers_is_no_success(read, metrics):
    metrics.ail("refused")
    with pytest.raises(PlatformError, match="does not answer"):
        read().assure()


def test_another_platform_is_refused(services):
    with pytest.raises(ConfigError, match="are of pods"):
        KubernetesUsage(UsageOptions(), services)
