"""The options of the store `postgresql`."""

from __future__ import annotations

from attrs import frozen

from uno_core import Secret, option


@frozen(kw_only=True, repr=False)
class PostgresqlOptions:
    """Where the server is, and where in it uno keeps its tables."""

    url: Secret | str = option(
        help="The database as postgresql://user@host:port/database, or ${ENV_VAR} where a password is in it"
    )
    schema: str = option(default="uno", help="The schema that holds uno's tables; made where there is none")
    connect_timeout: float = option(
        default=10.0,
        gt=0,
        unit="s",
        help="How long to wait for a connection, and for the server to come back once it was there",
    )

    def __repr__(self) -> str:
        """Without the URL: there may be a password in it."""
        return f"PostgresqlOptions(url=***, schema={self.schema!r}, connect_timeout={self.connect_timeout!r})"
