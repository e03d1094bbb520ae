"""What uno is told about the store."""

from __future__ import annotations

from typing import Any

from uno_core import StateStoreInfo, hookimpl


def _load() -> type[Any]:
    from uno_state_s3.store import S3Store

    return S3Store


def _options() -> type[Any]:
    from uno_state_s3.options import S3Options

    return S3Options


@hookimpl
def uno_register_state_stores() -> list[StateStoreInfo]:
    return [
        StateStoreInfo(
            name="s3",
            summary="Journals, leases and signals in a bucket of S3: any machine can go on from them",
            load=_load,
            options=_options,
            remote=True,
            schemes=frozenset({"s3"}),
        )
    ]
