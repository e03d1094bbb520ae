"""A manifest of the user's, that releases are made from in place of what serves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

from uno_core import ConfigError

Object = Mapping[str, Any]

SUFFIXES = (".yaml", ".yml", ".json")
VERSIONS = {"Deployment": "apps/v1", "ConfigMap": "v1", "Secret": "v1", "Service": "v1"}
"""The kinds that are read, and of which version."""


@frozen
class Manifest:
    """deployment: the one that it holds. contents: its ConfigMaps and Secrets, by kind and name.

    service: the one before the application, where it holds that.
    """

    path: Path
    deployment: Object
    contents: Mapping[tuple[str, str], Object]
    service: Object | None = None


def read(path: Path, deployment: str, service: str, namespace: str) -> Manifest:
    """Read a file, or all files of a directory. What else is in them is the user's to apply.

    Raises ConfigError where it cannot be read, holds no Deployment of that name, or is of another namespace.
    """
    found: dict[tuple[str, str], tuple[Object, Path]] = {}
    others: set[str] = set()
    for file in _files(path):
        for one in _documents(file):
            kind, name = str(one["kind"]), str(one["metadata"]["name"])
            if kind not in VERSIONS:
                others.add(kind)
            elif (kind, name) in found:
                raise ConfigError(
                    f"the manifest has two of the {kind} {name}",
                    found=f"in {found[kind, name][1]} and in {file}",
                    expected="each once", where=str(path), remedy="take one of them out",
                )  # fmt: skip
            else:
                found[kind, name] = one, file
    chosen, file = _chosen({name: one for (kind, name), one in found.items() if kind == "Deployment"},
                           deployment, others, path)  # fmt: skip
    _check(chosen, file)
    contents = {key: one for key, one in found.items() if key[0] in ("ConfigMap", "Secret")}
    before = found.get(("Service", service))
    if before is not None:
        _check_service(before[0], chosen, before[1])
    for one, place in ((chosen, file), *contents.values(), *filter(None, [before])):
        _check_place(one, namespace, place)
    for one, place in contents.values():
        _check_contents(one, place)
    return Manifest(
        path, chosen, {key: one for key, (one, _) in contents.items()}, before[0] if before else None
    )


def _chosen(
    deployments: Mapping[str, tuple[Object, Path]], wanted: str, others: Collection[str], path: Path
) -> tuple[Object, Path]:
    if wanted in deployments:
        return deployments[wanted]
    kinds = f"no Deployment, but {', '.join(sorted(others))}" if others else "no Deployment"
    raise ConfigError(
        f"the manifest has no Deployment {wanted}", found=", ".join(deployments) or kinds,
        expected=f"one Deployment of the name {wanted}", where=str(path),
        remedy="correct platform.deployment, or platform.manifest",
    )  # fmt: skip


def _check_place(one: Object, namespace: str, file: Path) -> None:
    """That it is of this namespace, and of a version that is known."""
    told = f"the manifest's {one['kind']} {one['metadata']['name']}"
    there = one["metadata"].get("namespace", namespace)
    if there != namespace:
        raise ConfigError(
            f"{told} is of another namespace", found=str(there), expected=namespace, where=str(file),
            remedy="correct it, or platform.namespace",
        )  # fmt: skip
    version = VERSIONS[one["kind"]]
    if one["apiVersion"] != version:
        raise ConfigError(
            f"{told} is of a version that is not read", found=str(one["apiVersion"]), expected=version,
            where=str(file), remedy="correct its apiVersion",
        )  # fmt: skip


def _check_service(service: Object, deployment: Object, file: Path) -> None:
    """That it has ports, and finds the pods."""
    spec, labels = service.get("spec") or {}, deployment["spec"]["template"]["metadata"]["labels"]
    selector = spec.get("selector") or {}
    if not spec.get("ports") or not selector or not selector.items() <= labels.items():
        raise ConfigError(
            f"the manifest's Service {service['metadata']['name']} does not lead to its Deployment",
            found=f"a selector {dict(selector)}" if spec.get("ports") else "no spec.ports",
            expected=f"ports, and a selector of pods with {dict(labels)}", where=str(file),
            remedy="correct it, or platform.service",
        )  # fmt: skip


def _check_contents(one: Object, file: Path) -> None:
    """That all that it holds is text: `8080` or `yes` without quotes is not. No value of a Secret is told."""
    for part in ("data", "stringData", "binaryData"):
        for key, value in (one.get(part) or {}).items():
            if not isinstance(value, str):
                raise ConfigError(
                    f"the manifest's {one['kind']} {one['metadata']['name']} holds something that is no text",
                    found=f"{part}.{key}: " + ("something else" if one["kind"] == "Secret" else repr(value)),
                    expected="text", where=str(file), remedy="put it in quotes",
                )  # fmt: skip


def _files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES)
        if files:
            return files
    elif path.is_file():
        return (path,)
    raise ConfigError(
        "there is no manifest", found="nothing to read" if path.exists() else "no such file",
        expected="a file, or a directory with files, of YAML or JSON", where=str(path),
        remedy="correct platform.manifest",
    )  # fmt: skip


def _documents(file: Path) -> Sequence[Object]:
    try:
        found = list(yaml.load_all(file.read_text("utf-8"), Loader=_Loader))
    except (OSError, UnicodeError, yaml.YAMLError) as problem:
        raise ConfigError(
            "the manifest cannot be read", found=" ".join(str(problem).split()), where=str(file),
            expected="documents of YAML or JSON", remedy="correct it",
        ) from problem  # fmt: skip
    documents: list[Any] = []
    for one in found:
        documents += one.get("items") or () if isinstance(one, dict) and one.get("kind") == "List" else [one]
    for one in documents:
        if one is not None and not _named(one):
            raise ConfigError(
                "the manifest holds something that is no object of Kubernetes", found=str(one)[:100],
                expected="apiVersion, kind, and metadata with a name", where=str(file), remedy="correct it",
            )  # fmt: skip
    return [one for one in documents if one is not None]


class _Loader(yaml.SafeLoader):
    """As kubectl reads: a date is text, and a key that stands there twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value} stands there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _named(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("metadata"), dict):
        return False
    return bool(one.get("apiVersion") and one.get("kind") and one["metadata"].get("name"))


def _check(deployment: Object, path: Path) -> None:
    """That the server will not have to tell what is missing of it."""
    spec: Any = deployment.get("spec") or {}
    template: Any = spec.get("template") or {}
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    lacking = [
        name
        for name, there in (
            ("spec.selector.matchLabels", selector),
            ("spec.template.metadata.labels", labels),
            ("spec.template.spec.containers", (template.get("spec") or {}).get("containers")),
        )
        if not there
    ]
    if lacking or not selector.items() <= labels.items():
        raise ConfigError(
            "the manifest's Deployment is not complete",
            found=f"no {', '.join(lacking)}" if lacking else f"{labels} for {selector}",
            expected="containers, and labels that its selector selects", where=str(path), remedy="correct it",
        )  # fmt: skip
