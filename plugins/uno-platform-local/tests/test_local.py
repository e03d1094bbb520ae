"""What the local platform does with real processes, a real supervisor and a real Envoy."""

import os
import signal
import socket

import psutil
import pytest
from attrs import evolve

from uno_core import ConfigError, Drift, PlatformError, Query, Release, Slot, Unsupported, share, whole
from uno_platform_local import daemon, orphans
from uno_platform_local.files import read_json
from uno_platform_local.metrics import LocalMetrics, NoOptions

pytestmark = pytest.mark.component("envoy")

BLUE, GREEN = Slot.BLUE, Slot.GREEN


def pids(platform, slot=BLUE):
    return {row["id"]: row["pid"] for row in read_json(platform.layout.status)["slots"][slot.value]}


def copies(platform):
    """The processes of this root that are instances of the sample application."""
    found = []
    for process in orphans.recorded(platform.layout):
        try:
            if any("sample_app" in part for part in process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def program(platform, name):
    return daemon.supervisor_of(platform.layout).processes()[name].pid


def unready(platform, slot=BLUE):
    return platform.workload.observe().slots[slot].unready()


def served(platform, tools, options):
    """Wait until the proxy answers, and return what."""
    return tools.until(lambda: tools.ask(options), lambda answer: answer[0] == 200)[1]


def test_releases_replace_each_other_in_place_under_load(platform, options, tools):
    platform.prepare()
    one, two = tools.resolve(platform), tools.resolve(platform, "2.0.0")
    tools.bring(platform, BLUE, {one: 2})
    tools.route(platform, whole(BLUE))
    with tools.Load(options) as load:
        for counts in ({one: 2, two: 1}, {one: 1, two: 1}, {one: 1, two: 2}, {two: 2}):
            tools.bring(platform, BLUE, counts)
        tools.until(lambda: len(copies(platform)) == 2)
    assert load.errors == []
    assert served(platform, tools, options).startswith("2.0.0")


def test_a_switch_and_the_drain_after_it_lose_no_request(platform, options, tools):
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 2})
    tools.route(platform, whole(BLUE))
    with tools.Load(options) as load:
        tools.bring(platform, GREEN, {tools.resolve(platform, "2.0.0"): 2})
        tools.route(platform, share(GREEN, 30))
        tools.route(platform, whole(GREEN))
        tools.bring(platform, BLUE, {})
        tools.until(lambda: len(copies(platform)) == 2)
    assert load.errors == []


def test_requests_under_way_end_before_their_instance_does(make, with_mode, tools):
    options = with_mode("slow", drain=0.0)
    platform = make(options)
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 2})
    tools.route(platform, whole(BLUE))
    with tools.Load(options, clients=8) as load:
        tools.bring(platform, BLUE, {tools.resolve(platform): 1})
        tools.until(lambda: len(copies(platform)) == 1)
    assert load.errors == []


def test_a_stale_token_is_drift_and_names_both(platform, tools):
    platform.prepare()
    first = platform.router.observe()
    platform.router.write(whole(BLUE), first.token)
    with pytest.raises(Drift) as caught:
        platform.router.write(whole(GREEN), first.token)
    assert "blue 100 %" in caught.value.found
    assert platform.router.observe().split == whole(BLUE)


@pytest.mark.parametrize(
    "split",
    [{BLUE: 0.0, GREEN: 0.0}, {BLUE: 50.0, GREEN: 49.0}, {"red": 100.0}, {BLUE: 99.999, GREEN: 0.001}],
)
def test_what_is_no_split_is_refused(platform, split):
    platform.prepare()
    with pytest.raises(Unsupported):
        platform.router.write(split, None)
    assert platform.router.observe().split == {}


def test_nothing_is_served_before_anything_is_routed(platform, options, tools):
    platform.prepare()
    assert tools.ask(options) == (503, "no release is routed\n")


def test_slot_hosts_reach_a_slot_without_any_share(make, options, tools):
    traffic = evolve(options.traffic, slot_hosts="shop-{slot}.example.com")
    options = evolve(options, traffic=traffic)
    platform = make(options)
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 1})
    tools.bring(platform, GREEN, {tools.resolve(platform, "2.0.0"): 1})
    tools.route(platform, whole(BLUE))
    port = options.traffic.listen.rpartition(":")[2]
    assert tools.ask(options, host=f"shop-green.example.com:{port}")[1].startswith("2.0.0")
    assert tools.ask(options, host="shop-blue.example.com")[1].startswith("1.0.0")
    assert tools.ask(options)[1].startswith("1.0.0")


def test_an_instance_that_is_killed_comes_back_and_no_request_is_lost(platform, options, tools):
    platform.prepare()
    one = tools.resolve(platform)
    tools.bring(platform, BLUE, {one: 2})
    tools.route(platform, whole(BLUE))
    before = pids(platform)
    name = min(before)
    os.kill(before[name], signal.SIGKILL)
    tools.until(lambda: pids(platform).get(name) not in (0, before[name]))
    tools.arrive(platform, BLUE, {one: 2})
    assert served(platform, tools, options)


def test_what_dies_at_once_tells_why(make, with_mode, tools):
    platform = make(with_mode("die"))
    platform.prepare()
    platform.workload.converge(BLUE, {tools.resolve(platform): 1})
    reason = tools.until(lambda: unready(platform), lambda text: "exited" in text)
    assert "exited with code 3" in reason
    assert "the database is not there" in reason


def test_what_never_listens_says_so(make, with_mode, tools):
    platform = make(with_mode("silent"))
    platform.prepare()
    platform.workload.converge(BLUE, {tools.resolve(platform): 1})
    tools.until(lambda: unready(platform), lambda text: "does not listen on port" in text)
    platform.workload.converge(BLUE, {})
    tools.until(lambda: copies(platform) == [])


def test_what_answers_badly_to_its_readiness_path_is_not_routed(make, with_mode, tools):
    options = with_mode("unready", readiness="/health")
    platform = make(options)
    platform.prepare()
    platform.workload.converge(BLUE, {tools.resolve(platform): 1})
    platform.router.write(whole(BLUE), None)
    tools.until(lambda: unready(platform), lambda text: "answers 503 to /health" in text)
    assert tools.ask(options)[0] == 503


def test_a_port_that_was_taken_meanwhile_is_given_up(platform, tools):
    platform.prepare()
    one = tools.resolve(platform)
    port = tools.bring(platform, BLUE, {one: 1}).instances[0].port
    (pid,) = copies(platform)
    supervisor = psutil.Process(daemon.supervisor_of(platform.layout).pid())
    supervisor.suspend()  # held until somebody else sits on the port
    with socket.socket() as thief:
        try:
            os.kill(pid, signal.SIGKILL)
            tools.until(lambda: orphans.identity(pid) is None)
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(("127.0.0.1", port))
            thief.listen()
        finally:
            supervisor.resume()
        state = tools.until(
            lambda: platform.workload.observe().slots[BLUE],
            lambda state: state.holds({one: 1}) and state.instances[0].port != port,
        )
        assert state.instances[0].ready


def test_a_listen_port_that_is_taken_names_its_holder(make, options):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        listen = f"127.0.0.1:{holder.getsockname()[1]}"
        platform = make(evolve(options, traffic=evolve(options.traffic, listen=listen)))
        with pytest.raises(PlatformError, match="cannot listen") as caught:
            platform.prepare()
        assert str(os.getpid()) in caught.value.found


def test_a_killed_supervisor_leaves_nothing_that_runs_double(platform, options, tools):
    platform.prepare()
    one = tools.resolve(platform)
    tools.bring(platform, BLUE, {one: 3})
    tools.route(platform, whole(BLUE))
    before = copies(platform)
    os.kill(daemon.supervisor_of(platform.layout).pid(), signal.SIGKILL)
    assert len(before) == 3
    platform.prepare()
    tools.arrive(platform, BLUE, {one: 3})
    after = copies(platform)
    assert len(after) == 3
    assert not set(before) & set(after)
    assert platform.router.in_force() == whole(BLUE)
    assert served(platform, tools, options)


def test_without_a_supervisor_nothing_is_said_to_be_ready(platform, tools):
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 1})
    os.kill(daemon.supervisor_of(platform.layout).pid(), signal.SIGKILL)
    assert "uno local up" in tools.until(lambda: unready(platform))


def test_a_killed_agent_comes_back_and_replaces_nothing(platform, options, tools):
    platform.prepare()
    one = tools.resolve(platform)
    tools.bring(platform, BLUE, {one: 2})
    tools.route(platform, whole(BLUE))
    before, agent = pids(platform), program(platform, "agent")
    with tools.Load(options) as load:
        os.kill(agent, signal.SIGKILL)
        tools.until(lambda: program(platform, "agent") not in (0, agent))
        tools.bring(platform, BLUE, {one: 3})
    assert load.errors == []
    assert before.items() <= pids(platform).items()


def test_a_killed_envoy_comes_back_with_the_same_split(platform, options, tools):
    platform.prepare()
    one = tools.resolve(platform)
    tools.bring(platform, BLUE, {one: 1})
    tools.bring(platform, GREEN, {tools.resolve(platform, "2.0.0"): 1})
    tools.route(platform, share(GREEN, 12.5))
    os.kill(program(platform, "envoy"), signal.SIGKILL)
    tools.until(platform.router.in_force, lambda split: split == share(GREEN, 12.5))
    assert served(platform, tools, options)


def test_an_old_release_comes_back_with_its_own_configuration(make, options, tools):
    old = make(evolve(options, env={"COLOUR": "red"}))
    old.prepare()
    one = tools.resolve(old)
    tools.bring(old, BLUE, {one: 1})
    tools.route(old, whole(BLUE))
    captured, routed = old.workload.observe().captured, old.router.observe().captured
    new = make(evolve(options, env={"COLOUR": "green"}))
    assert tools.resolve(new) != one
    tools.bring(new, BLUE, {tools.resolve(new): 1})
    tools.until(lambda: tools.ask(options), lambda answer: "green" in answer[1])
    new.router.write({}, None)
    new.workload.restore(captured, BLUE)
    new.router.restore(routed)
    tools.arrive(new, BLUE, {one: 1})
    tools.until(lambda: tools.ask(options), lambda answer: "red" in answer[1])
    assert new.workload.observe().captured == captured


def test_the_environment_file_is_part_of_a_release(make, options, root, tools):
    file = root / "app.env"
    file.write_text("# comment\nexport COLOUR='blue sky'\n")
    platform = make(evolve(options, env_file="app.env"))
    first = tools.resolve(platform)
    platform.prepare()
    tools.bring(platform, BLUE, {first: 1})
    tools.route(platform, whole(BLUE))
    assert "blue sky" in served(platform, tools, options)
    file.write_text("COLOUR=grey\n")
    assert tools.resolve(platform) != first
    file.write_text("no assignment\n")
    with pytest.raises(ConfigError, match="sets nothing"):
        tools.resolve(platform)


def test_a_command_that_does_not_exist_is_found_before_anything_starts(make, options, tools):
    platform = make(evolve(options, command=("./nothing-here", "{port}")))
    with pytest.raises(ConfigError, match="command not found"):
        tools.resolve(platform)


def test_an_unknown_release_cannot_be_started(platform):
    with pytest.raises(PlatformError, match="nothing is known here"):
        platform.workload.converge(BLUE, {Release("1.0.0", "dir:/somewhere", "0123456789ab"): 1})


def test_a_slot_that_carries_traffic_is_not_retired(platform, tools):
    platform.prepare()
    one = tools.resolve(platform)
    tools.bring(platform, BLUE, {one: 1})
    tools.bring(platform, GREEN, {one: 1})
    tools.route(platform, whole(BLUE))
    platform.workload.retire(BLUE, 0.1)
    platform.workload.retire(GREEN, 0.1)
    tools.arrive(platform, GREEN, {})
    assert platform.workload.observe().slots[BLUE].ready(one) == 1


def sample(platform, slot=BLUE):
    query = Query(application="shop", environment="testing", slot=slot)
    return LocalMetrics(NoOptions(), platform.services).sample(query).figures


def test_counters_are_what_the_client_saw(make, with_mode, options, tools):
    platform = make(options)
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 2})
    bad = make(with_mode("errors"))
    tools.bring(bad, GREEN, {tools.resolve(bad, "2.0.0"): 1})
    tools.route(platform, share(GREEN, 50))
    seen = [tools.ask(options)[0] for _ in range(100)]
    blue, green = sample(platform), sample(platform, GREEN)
    assert (blue.requests, blue.errors) == (seen.count(200), 0)
    assert (green.requests, green.errors) == (seen.count(500), seen.count(500))
    tools.until(lambda: sum(sample(platform).latency.values()), lambda n: n == seen.count(200))
    tools.until(
        lambda: sample(platform).values, lambda values: values.get("memory", 0) > 1e6 and "cpu" in values
    )


def test_requests_to_a_slot_with_nothing_alive_are_errors(platform, options, tools):
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 1})
    tools.route(platform, whole(BLUE))
    tools.ask(options)
    tools.bring(platform, BLUE, {})
    statuses = [tools.ask(options)[0] for _ in range(10)]
    assert statuses == [503] * 10
    assert (sample(platform).requests, sample(platform).errors) == (11, 10)


def test_another_application_cannot_take_the_root(platform, make, options):
    platform.prepare()
    other = make(options)
    application = evolve(platform.services.application, name="another")
    other.services = evolve(platform.services, application=application)
    with pytest.raises(ConfigError, match="another application"):
        other.prepare()


def test_a_long_root_gets_its_socket_elsewhere(make, options, root, tools):
    deep = root / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    platform = make(evolve(options, root=deep, artifact=None))
    try:
        platform.prepare()
        tools.bring(platform, BLUE, {tools.resolve(platform): 1})
    finally:
        daemon.stop(platform.layout)
    assert orphans.recorded(platform.layout) == []


def test_a_program_whose_record_was_lost_is_ended(platform, tools):
    platform.prepare()
    one = tools.resolve(platform)
    tools.bring(platform, BLUE, {one: 2})
    agent = program(platform, "agent")
    lost = next(platform.layout.instances.glob("*.json"))
    lost.write_text("{ half a rec")
    os.kill(agent, signal.SIGKILL)
    tools.until(lambda: lost.stem not in pids(platform) and len(pids(platform)) == 2)
    tools.arrive(platform, BLUE, {one: 2})
    tools.until(lambda: len(copies(platform)) == 2)
    supervisor = daemon.supervisor_of(platform.layout)
    tools.until(lambda: lost.stem not in supervisor.processes())
