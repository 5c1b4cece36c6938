# Derived from alcove/patterns/asyncio/tables.py by derive_blocking.py: change it there.
"""A table of a SQL database as the store of a cache, for all four patterns (wants SQLAlchemy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from alcove.patterns.core.tables import Statements
from alcove.patterns.core.writes import Update


class SqlTable:
    """Rows of a table by their key.

        users = SqlTable(engine, User)
        cache.get_or_load("user:1", lambda: users.load(1))                          # cache-aside
        cache.write_through("user:1", lambda: users.save(1, {"city": "Oslo"}))      # write-through
        behind = WriteBehind(client, load=users.load, write=users.write)                  # write-behind
        cache = Cache(client, refresh_ahead=0.1)                                          # refresh-ahead

    A row is a dict of its columns. `table` is a `Table` or a mapped class; `key` names the column that rows go by, if
    it is not the only one of the primary key. With `version`, the name of a whole-number column that may be NULL, an
    update that comes late does not undo a later one, and one that is handed out twice is made once.
    """

    def __init__(self, engine: Engine, table: Any, *, key: str | None = None, version: str | None = None) -> None:
        self.engine = engine
        self._statements = Statements(table, key, version)

    def load(self, key: Any) -> dict[str, Any] | None:
        """A row, or None."""
        with self.engine.connect() as connection:
            row = (connection.execute(self._statements.row(key))).mappings().first()
            return None if row is None else dict(row)

    def save(self, key: Any, changes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Changes a row; answers it as it is then, in the same transaction, or None when there is none."""
        with self.engine.begin() as connection:
            connection.execute(self._statements.change(key, changes))
            row = (connection.execute(self._statements.row(key))).mappings().first()
            return None if row is None else dict(row)

    def write(self, update: Update) -> None:
        """Makes an update of `WriteBehind`; a row that there is not is inserted."""
        statements = self._statements
        try:
            with self.engine.begin() as connection:
                change = statements.change_to(update.key, update.changes, update.version)
                if (connection.execute(change)).rowcount:
                    return
                if not (connection.execute(statements.exists(update.key))).scalar_one():
                    connection.execute(statements.new(update.key, update.changes, update.version))
        except IntegrityError:
            # Somebody else has inserted it meanwhile; or the changes are none that this table takes, which this tells.
            with self.engine.begin() as connection:
                change = statements.change_to(update.key, update.changes, update.version)
                if not (connection.execute(change)).rowcount:
                    exists = (connection.execute(statements.exists(update.key))).scalar_one()
                    if not exists:
                        raise


class SqlProducts:
    """A table of products as the store of `ProductCache`: those that meet `where` are for sale."""

    def __init__(
        self, engine: Engine, table: Any, *, stock: str = "stock", where: ColumnElement[bool] | None = None
    ) -> None:
        self.engine = engine
        self._statements = Statements(table, None, None)
        self._stock = stock
        self._where = where

    def find_product(self, product_id: Any) -> dict[str, Any] | None:
        with self.engine.connect() as connection:
            row = (connection.execute(self._statements.row(product_id))).mappings().first()
            return None if row is None else dict(row)

    def take_stock(self, product_id: Any, quantity: int) -> None:
        """Takes from the stock in one statement. Raises LookupError when there is no such product."""
        with self.engine.begin() as connection:
            taken = connection.execute(self._statements.take(product_id, self._stock, quantity))
            if not taken.rowcount:
                raise LookupError(f"there is no product {product_id!r}")

    def list_products(self, offset: int, limit: int) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            rows = (connection.execute(self._statements.page(self._where, offset, limit))).mappings().all()
            return [dict(row) for row in rows]
