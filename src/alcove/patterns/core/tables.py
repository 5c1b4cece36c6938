"""A table of a SQL database as the store of a cache: its statements (wants SQLAlchemy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Select, Table, Update, func, insert, or_, select, update
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import ColumnElement

from alcove.patterns.core.errors import InvalidArgument


class Statements:
    """The statements for rows of a table by their key.

    `table` is a `Table` or a mapped class with one column as its primary key, or `key` names another.
    """

    def __init__(self, table: Any, key: str | None, version: str | None) -> None:
        mapped: Table = getattr(table, "__table__", table)
        self.table = mapped
        if key is None:
            columns = list(mapped.primary_key.columns)
            if len(columns) != 1:
                raise InvalidArgument(
                    f"{mapped.name} has {len(columns)} columns in its primary key: say which is the key"
                )
            self.key: Column[Any] = columns[0]
        else:
            self.key = self._column(key)
        self.version = None if version is None else self._column(version)

    def _column(self, name: str) -> Column[Any]:
        column: Column[Any] | None = self.table.c.get(name)
        if column is None:
            raise InvalidArgument(f"{self.table.name} has no column {name!r}")
        return column

    def key_of(self, text: Any) -> Any:
        """A key as the column has it. Raises `InvalidArgument`."""
        kind = self.key.type.python_type
        try:
            return text if isinstance(text, kind) else kind(text)
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"{text!r} is no key of {self.table.name}") from error

    def changes(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Checked changes of a row. Raises `InvalidArgument` for a column that there is not, and for the key's own."""
        kept = (self.key.name, self.version.name if self.version is not None else "")
        for name in changes:
            if self._column(name).name in kept:
                raise InvalidArgument(f"{name!r} is not to be changed")
        return dict(changes)

    def row(self, key: Any) -> Select[Any]:
        return select(self.table).where(self.key == self.key_of(key))

    def change(self, key: Any, changes: Mapping[str, Any]) -> Update:
        return update(self.table).where(self.key == self.key_of(key)).values(self.changes(changes))

    def change_to(self, key: Any, changes: Mapping[str, Any], version: int) -> Update:
        """The same, and not where the row has had a later version."""
        statement = self.change(key, changes)
        if self.version is None:
            return statement
        older = or_(self.version.is_(None), self.version < version)
        return statement.where(older).values({self.version.name: version})

    def exists(self, key: Any) -> Select[Any]:
        return select(func.count()).select_from(self.table).where(self.key == self.key_of(key))

    def new(self, key: Any, changes: Mapping[str, Any], version: int | None) -> Insert:
        values = {**self.changes(changes), self.key.name: self.key_of(key)}
        if self.version is not None and version is not None:
            values[self.version.name] = version
        return insert(self.table).values(values)

    def take(self, key: Any, column: str, quantity: int) -> Update:
        stock = self._column(column)
        return update(self.table).where(self.key == self.key_of(key)).values({column: stock - quantity})

    def page(self, where: ColumnElement[bool] | None, offset: int, limit: int) -> Select[Any]:
        statement = select(self.table).order_by(self.key).offset(offset).limit(limit)
        return statement if where is None else statement.where(where)
