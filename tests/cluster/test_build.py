"""Where the control plane comes from, and what is said where there is none: no component is needed."""

import pytest

from tests.cluster import build
from tests.cluster.quantities import amount


@pytest.fixture
def nothing(monkeypatch, tmp_path):
    """A machine without Go, on which nothing was built."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UNO_TEST_CONTROL_PLANE", str(tmp_path / "built"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def test_without_go_it_says_so_in_one_line(nothing):
    with pytest.raises(
        build.Unavailable, match="Go is not installed, and KUBEBUILDER_ASSETS is not set"
    ) as said:
        build.assets()
    assert "\n" not in str(said.value)


def test_a_folder_that_is_given_is_used_as_it_is(nothing, monkeypatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(nothing))
    (nothing / "etcd").touch()
    with pytest.raises(build.Unavailable, match="lacks kube-apiserver, kube-controller-manager: "):
        build.assets()
    for name in build.PROGRAMS:
        (nothing / name).touch()
    with pytest.raises(build.Unavailable, match=r"lacks crds/\*.yaml: "):
        build.assets()
    (nothing / "crds").mkdir()
    (nothing / "crds" / "one.yaml").touch()
    assert build.assets() == nothing


def test_another_set_of_pins_is_another_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("UNO_TEST_CONTROL_PLANE", raising=False)
    before = build.place()
    assert before.name.startswith(f"kubernetes-{build.version()}-")
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_text((build.SOURCE / name).read_text() + "// changed\n")
    monkeypatch.setattr(build, "SOURCE", tmp_path)
    assert build.place() != before


def test_quantities_are_numbers():
    assert [amount(text) for text in ("2", "250m", "1Ki", "1.5Gi", "3k")] == [
        2,
        0.25,
        1024,
        1.5 * 2**30,
        3000,
    ]
