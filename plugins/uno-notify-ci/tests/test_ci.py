import json
import re
import subprocess
import sys

import pytest
from attrs import evolve

from uno_core import NoticeKind, Status, UnoError
from uno_core.testing import NotifierContract, PluginContract
from uno_core.testing.notifier import FINISHED
from uno_notify_ci import github
from uno_notify_ci.ci import Ci
from uno_notify_ci.options import CiOptions
from uno_notify_ci.quoting import markdown

pytest_plugins = ["uno_core.testing.fixtures"]

STARTED = evolve(FINISHED, kind=NoticeKind.STARTED, status=None, exit_code=None, message="deploying")
STEP = evolve(STARTED, kind=NoticeKind.STEP, message="start the new release")
GOOD = evolve(FINISHED, status=Status.SUCCESSFUL, exit_code=0, message="2.4.1 serves")
EVIL = "boom\n::set-env name=PATH::/tmp\r::add-mask::a\n##[error]x\n%0A::error::y\n"


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No CI's own variables, those of the CI that runs these tests least of all."""
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    ends = []
    monkeypatch.setattr(github.atexit, "register", ends.append)
    return ends


class Log:
    """What is written to stderr, by the notifier and by uno itself."""

    def __init__(self, capfd):
        self._capfd, self._seen = capfd, ""

    def getvalue(self):
        self._seen += self._capfd.readouterr().err
        return self._seen

    @staticmethod
    def write(text):
        sys.stderr.write(text)
        sys.stderr.flush()


@pytest.fixture
def log(capfd):
    return Log(capfd)


@pytest.fixture
def actions(monkeypatch, tmp_path):
    """A step of GitHub Actions; gives the files that it reads afterwards."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    files = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for name, path in files.items():
        path.touch()
        monkeypatch.setenv(name, str(path))
    return files


@pytest.fixture
def ci(services):
    return lambda **options: Ci(CiOptions(**options), services)


class Runner:
    """The part of GitHub's runner that takes commands from lines, as far as it matters here."""

    def __init__(self):
        self.stop, self.obeyed, self.shown = "", [], []

    def read(self, text):
        for line in text.splitlines():
            found = re.match(r"\s*::([\w-]+)(?: ([^:]*))?::(.*)$", line)
            name = found[1] if found else (re.search(r"##\[([\w-]+)", line) or ["", ""])[1]
            if self.stop:
                if name == self.stop:
                    self.stop = ""
                else:
                    self.shown.append(line)
            elif name == "stop-commands":
                self.stop = found[3]
            elif name:
                self.obeyed.append(
                    (name, (found[2] or "") if found else "", self.told(found[3] if found else ""))
                )
            else:
                self.shown.append(line)
        return self

    @staticmethod
    def told(text):
        return text.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")


def outputs(text):
    """As the runner reads the file of a step's outputs."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, _, end = line.partition("<<")
        assert end, f"no output: {line}"
        value = []
        for inner in lines:
            if inner == end:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


class TestPlugin(PluginContract):
    distribution = "uno-notify-ci"


class TestGitHub(NotifierContract):
    @pytest.fixture
    def notifier(self, ci, actions):
        return ci()

    @pytest.fixture
    def delivered(self, actions, log):
        return lambda: [text for path in actions.values() if (text := path.read_text())]

    @pytest.fixture
    def unreachable(self, ci, actions, monkeypatch, tmp_path):
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "no" / "such" / "file"))
        return ci()

    def test_each_notice_is_told_by_itself(self, notifier, delivered):
        notifier.notify(FINISHED, 10)
        notifier.notify(evolve(FINISHED, version="9.9.9"), 10)
        assert "9\\.9\\.9" in delivered()[1]

    def test_how_it_ended_gets_through(self, notifier, delivered):
        notifier.notify(FINISHED, 10)
        assert "2.4.1" in delivered()[0]
        assert "rolled" in delivered()[0]


class TestGitLab(NotifierContract):
    @pytest.fixture
    def notifier(self, ci):
        return ci(format="gitlab")

    @pytest.fixture
    def delivered(self, log):
        return lambda: log.getvalue().splitlines()


def test_it_is_silent_where_no_ci_runs_it(ci, log):
    for kind in NoticeKind:
        ci().notify(evolve(FINISHED, kind=kind), 10)
    assert not log.getvalue()


@pytest.mark.parametrize(("name", "words"), [("GITHUB_ACTIONS", "::stop-"), ("GITLAB_CI", "section_start")])
def test_the_ci_is_seen_by_its_environment(ci, log, monkeypatch, name, words):
    monkeypatch.setenv(name, "true")
    ci().notify(STEP, 10)
    assert words in log.getvalue()


def test_a_step_has_outputs(ci, actions, log):
    ci().notify(FINISHED, 10)
    assert outputs(actions["GITHUB_OUTPUT"].read_text()) == {
        "status": "rolled_back", "exit_code": "3", "version": "2.4.1", "previous": "2.4.0",
        "deployment": "shop-testing-7",
    }  # fmt: skip


def test_what_was_refused_has_outputs_too(ci, actions, log):
    ci().notify(evolve(FINISHED, kind=NoticeKind.REFUSED, status=None, exit_code=5, deployment=""), 10)
    found = outputs(actions["GITHUB_OUTPUT"].read_text())
    assert (found["status"], found["exit_code"], found["deployment"]) == ("refused", "5", "")


def test_no_text_adds_an_output(ci, actions, log):
    ci().notify(evolve(FINISHED, version="1\nadmin=yes\nadmin<<X\nyes\nX", previous="x\rstatus=good"), 10)
    found = outputs(actions["GITHUB_OUTPUT"].read_text())
    assert set(found) == {"status", "exit_code", "version", "previous", "deployment"}
    assert found["status"] == "rolled_back"


def test_nothing_is_written_before_the_end(ci, actions, log):
    for notice in (STARTED, STEP):
        ci().notify(notice, 10)
    assert not any(path.read_text() for path in actions.values())


def test_the_summary_says_how_it_ended(ci, actions, log):
    notifier = ci()
    for notice in (STARTED, STEP, FINISHED):
        notifier.notify(notice, 10)
    text = actions["GITHUB_STEP_SUMMARY"].read_text()
    assert text.startswith("### shop\\: 2\\.4\\.1 rolled back\n")
    assert "| before | 2\\.4\\.0 |" in text
    assert "| exit code | 3 |" in text
    assert "1. step\\: start the new release" in text


def test_no_text_is_markup_in_the_summary(ci, actions, log):
    evil = "a|b\n# c <script>x</script> [d](http://e) ![f](g) **h** `i` @j &amp; ~~k~~ </details>\n\n- l"
    ci().notify(evolve(FINISHED, message=evil, version="<img src=x>\n| a | b |"), 10)
    text = actions["GITHUB_STEP_SUMMARY"].read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("| message")]
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", row.removeprefix("| message | ").removesuffix(" |"))
    assert re.fullmatch(r"[\w \n]*", bare.replace("<br>", "\n")), "every mark of it is escaped"
    assert "<img" not in text.replace("\\<img", "")
    assert len([line for line in text.splitlines() if line.startswith("#")]) == 1


def test_markdown_shows_the_text_as_it_was():
    text = "it's 7 % (of 10): a_b*c <d> \\ `e`"
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown(text)) == text


@pytest.mark.parametrize(
    ("notice", "level"),
    [
        (FINISHED, "error"),
        (GOOD, "notice"),
        (evolve(FINISHED, exit_code=0), "notice"),
        (evolve(FINISHED, kind=NoticeKind.ROLLING_BACK, status=None), "warning"),
        (evolve(FINISHED, kind=NoticeKind.WARNING, status=None), "warning"),
        (evolve(FINISHED, kind=NoticeKind.PAUSED, status=None), "notice"),
        (evolve(FINISHED, kind=NoticeKind.LEFT, status=Status.PAUSED), "notice"),
        (evolve(FINISHED, kind=NoticeKind.LEFT, status=Status.IN_PROGRESS), "warning"),
        (evolve(FINISHED, kind=NoticeKind.REFUSED, status=None), "error"),
        (STEP, ""),
        (evolve(FINISHED, kind=NoticeKind.ANSWERED), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.kind}-{value.status}",
)
def test_what_somebody_should_see_is_annotated(ci, actions, log, notice, level):
    ci(groups=False).notify(notice, 10)
    obeyed = Runner().read(log.getvalue()).obeyed
    assert [name for name, _, _ in obeyed] == ([level] if level else [])
    if level:
        assert obeyed[0][1] == "title=uno%3A shop in testing"
        assert "2.4.1" in obeyed[0][2]


def test_steps_are_groups_and_all_of_them_are_closed(ci, actions, log):
    notifier = ci(annotations=False)
    back = evolve(STEP, kind=NoticeKind.ROLLING_BACK, message="it was bad")
    for notice in (STARTED, STEP, evolve(STEP, message="50 %"), back, FINISHED):
        notifier.notify(notice, 10)
    assert [(name, text) for name, _, text in Runner().read(log.getvalue()).obeyed] == [
        ("group", "start the new release"), ("endgroup", ""), ("group", "50 %"), ("endgroup", ""),
        ("group", "going back: it was bad"), ("endgroup", ""),
    ]  # fmt: skip


def test_no_text_is_a_command(ci, actions, log, environment):
    notifier = ci()
    for kind in NoticeKind:
        notifier.notify(evolve(FINISHED, kind=kind, message=EVIL, version=EVIL, reason=EVIL), 10)
    names = {name for name, _, _ in Runner().read(log.getvalue()).obeyed}
    assert names <= {"group", "endgroup", "notice", "warning", "error"}
    texts = [text for name, _, text in Runner().read(log.getvalue()).obeyed if name == "error"]
    assert any("%0A::error::y" in text for text in texts), "the text is shown as it was"


def test_what_uno_itself_shows_is_no_command_either(ci, actions, log, environment):
    notifier, runner = ci(), Runner()
    notifier.notify(STARTED, 10)
    log.write("12:00:00 going back: " + EVIL + "##[error]boo\n  ::error::boo\n")
    notifier.notify(FINISHED, 10)
    notifier.close()
    log.write("the last line\n::add-mask::z\n")  # uno's own answer comes after the last notice
    assert len(environment) == 1, "commands are on again when the process ends, and only then"
    environment[0]()
    log.write("::notice::of the next program\n")
    runner.read(log.getvalue())
    # The log begins with commands on, as the step had them.
    assert [name for name, _, _ in runner.obeyed] == ["error", "notice"]
    assert "::add-mask::z" in runner.shown


def test_the_word_that_switches_commands_on_is_another_each_time(ci, actions, log):
    notifier = ci()
    notifier.notify(STEP, 10)
    notifier.notify(STEP, 10)
    words = re.findall(r"::stop-commands::(\w+)", log.getvalue())
    assert len(set(words)) == 2
    assert all(len(word) == 32 for word in words)


def test_each_part_can_be_switched_off(ci, actions, log):
    ci(annotations=False, groups=False, summary=False, outputs=False).notify(FINISHED, 10)
    assert not Runner().read(log.getvalue()).obeyed
    assert not any(path.read_text() for path in actions.values())


def test_without_the_files_of_a_runner_there_is_only_the_log(ci, log):
    ci(format="github").notify(FINISHED, 10)
    assert Runner().read(log.getvalue()).obeyed


def test_a_file_that_cannot_be_written_is_named(ci, log, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path))
    with pytest.raises(UnoError) as caught:
        ci(format="github").notify(FINISHED, 10)
    assert str(tmp_path) in str(caught.value)


def test_gitlab_has_sections(ci, log):
    notifier = ci(format="gitlab")
    for notice in (STARTED, STEP, evolve(STEP, message="50 %"), GOOD):
        notifier.notify(notice, 10)
    assert log.getvalue() == (
        "\x1b[0Ksection_start:1769860800:uno_1_step\r\x1b[0Kstart the new release\n"
        "\x1b[0Ksection_end:1769860800:uno_1_step\r\x1b[0K\n"
        "\x1b[0Ksection_start:1769860800:uno_2_step\r\x1b[0K50 %\n"
        "\x1b[0Ksection_end:1769860800:uno_2_step\r\x1b[0K\n"
        "\x1b[1mshop in testing: 2.4.1 successful\x1b[0m\n"
    )


def test_no_text_is_a_section_of_gitlab(ci, log):
    evil = "x\n\x1b[0Ksection_end:1:uno_1_step\r\x1b[0K\n\x1b[31mred"
    notifier = ci(format="gitlab")
    for kind in NoticeKind:
        notifier.notify(evolve(FINISHED, kind=kind, message=evil, version=evil), 10)
    marks = re.findall(r"\x1b\[0Ksection_(start|end):\d+:(\w+)\r", log.getvalue())
    names = [name for _, name in marks]
    assert sorted(names) == sorted([*{*names}, *{*names}]), "each begins once, and ends once"
    assert "\x1b[31m" not in log.getvalue()


def test_lines_are_whole_beside_another_thread_and_stdout_is_not_touched(tmp_path):
    """A real process: the progress of a deployment is printed while the notifier speaks."""
    program = """
import sys, threading, datetime
from uno_core import Notice, NoticeKind
from uno_notify_ci.github import make
from uno_notify_ci.options import CiOptions
ci = make(CiOptions())
def work():
    for number in range(300):
        ci.notify(Notice(kind=NoticeKind.STEP, at=datetime.datetime.now(datetime.UTC), application="shop",
                         environment="test", message=f"step {number}"))
thread = threading.Thread(target=work)
thread.start()
while thread.is_alive():
    sys.stderr.write("progress of the deployment\\n")
thread.join()
print('{"status": "successful"}')
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == {"status": "successful"}
    runner = Runner().read(done.stderr)
    assert [text for name, _, text in runner.obeyed if name == "group"] == [f"step {n}" for n in range(300)]
    assert {*runner.shown} <= {"progress of the deployment"}
    assert not runner.stop, "commands are on again at the end"
