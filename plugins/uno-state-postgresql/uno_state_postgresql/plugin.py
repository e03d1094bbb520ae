"""What uno is told about the store."""

from __future__ import annotations

from typing import Any

from uno_core import StateStoreInfo, hookimpl


def _load() -> type[Any]:
    from uno_state_postgresql.store import PostgresqlStore

    return PostgresqlStore


def _options() -> type[Any]:
    from uno_state_postgresql.options import PostgresqlOptions

    return PostgresqlOptions


@hookimpl
def uno_register_state_stores() -> list[StateStoreInfo]:
    return [
        StateStoreInfo(
            name="postgresql",
            summary="Journals, leases and signals in PostgreSQL: any machine can go on from them",
            load=_load,
            options=_options,
            remote=True,
            schemes=frozenset({"postgresql", "postgres"}),
        )
    ]
