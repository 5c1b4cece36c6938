"""Fences in a SQL database: a transaction that goes on only if no later holder has been there (wants SQLAlchemy)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, func, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.locks import StaleFence


def check_fence(
    session: Session | Connection, table: Any, *where: ColumnElement[bool], fence: int, column: str = "fence"
) -> None:
    """Writes a holder's fence into the rows that it is about to change, in the caller's transaction.

        with lock.hold("product:123", wait=5) as held, Session.begin() as session:
            check_fence(session, Product, Product.id == 123, fence=held.fence)
            ...

    `table` is a table or a mapped class. Its column `fence` is a BIGINT, and may be NULL: a fence is a number of
    sixteen digits. It is one `UPDATE ... SET fence = :fence WHERE ... AND fence <= :fence`, which locks the rows until
    the transaction ends: so an earlier holder either is done before, or comes after it and is refused, whatever it
    believes to hold. Raises `StaleFence` when the fence of one of the rows is greater, and LookupError when there is no
    such row; then the transaction is to be rolled back.

    With asyncio: `await session.run_sync(check_fence, Product, Product.id == 123, fence=held.fence)`.
    """
    if isinstance(fence, bool) or not isinstance(fence, int) or fence < 1:
        raise InvalidArgument(f"a fence is a whole number above 0, not {fence!r}")
    last = fence_column(table, column)
    if not where:
        raise InvalidArgument("say which rows: a fence belongs to what was locked")
    fresh = or_(last.is_(None), last <= fence)
    session.execute(update(table).where(*where, fresh).values({column: fence}))
    # Rows with this fence are ours until the end; one with another has a greater one, and a fence never shrinks.
    rows, greatest = session.execute(select(func.count(), func.max(last)).select_from(table).where(*where)).one()
    if rows == 0:
        raise LookupError(f"there is no such row, so fence {fence} is not checked")
    if greatest > fence:
        raise StaleFence(fence, greatest)


def fence_column(table: Any, name: str) -> Column[int]:
    columns: Any = getattr(table, "c", None)
    found: Any = getattr(table, name, None) if columns is None else columns.get(name)
    if found is None:
        raise InvalidArgument(f"{table} has no column {name!r} to keep a fence in")
    column: Column[int] = found
    return column
