"""Fences at work: in a SQL database and in Redis, where the chapter's lock lets a late holder overwrite."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from alcove.patterns import FencedKeys, InvalidArgument, StaleFence, check_fence, fence_of
from alcove.patterns import asyncio as asynchronous
from tests.patterns.conftest import Toolkit
from tests.patterns.databases import Postgres
from tests.patterns.places import Embedded
from tests.patterns.test_locks import Forgetful
from tests.waiting import PATIENCE_S, eventually


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    stock: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int | None] = mapped_column(BigInteger, default=None)


SHELVES = Table(
    "shelves",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("last_fence", BigInteger, nullable=False, server_default="0"),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    Base.metadata.create_all(engine)
    SHELVES.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all([Product(id=1, stock=5), Product(id=2, stock=5)])
    yield engine
    engine.dispose()


def stock(database: Engine) -> int:
    with Session(database) as session:
        return session.scalars(select(Product.stock).where(Product.id == 1)).one()


def sell(database: Engine, fence: int | None, stock_left: int) -> None:
    with Session(database) as session, session.begin():
        if fence is not None:
            check_fence(session, Product, Product.id == 1, fence=fence)
        session.execute(update(Product).where(Product.id == 1).values(stock=stock_left))


def test_the_chapters_lock_lets_a_late_holder_overwrite(toolkit: Toolkit, database: Engine) -> None:
    """Two holders each sell one of five; the first one stands still for longer than its lock."""
    client = toolkit.client

    def acquire(resource: str, timeout_ms: int) -> str:
        lock_id = str(uuid.uuid4())
        if not client.set(f"lock:{resource}", lock_id, nx=True, px=timeout_ms):
            raise RuntimeError("Failed to acquire lock")
        return lock_id

    lease_ms = int(toolkit.unit * 1000)
    acquire("product:1", lease_ms)
    first_saw = stock(database)
    toolkit.pass_time(1.1)
    acquire("product:1", lease_ms)
    sell(database, None, stock(database) - 1)
    sell(database, None, first_saw - 1)
    assert stock(database) == 4, "one sale is lost"


def test_a_fence_stops_a_late_holder(toolkit: Toolkit, database: Engine) -> None:
    lock = toolkit.make("DistributedLock")
    lease_ms = int(toolkit.unit * 1000)
    first = fence_of(lock.acquire("product:1", lease_ms))
    first_saw = stock(database)
    toolkit.pass_time(1.1)
    second = fence_of(lock.acquire("product:1", lease_ms))
    sell(database, second, stock(database) - 1)
    with pytest.raises(StaleFence) as caught:
        sell(database, first, first_saw - 1)
    assert (caught.value.fence, caught.value.found) == (first, second)
    # The holder itself may write as often as it likes.
    sell(database, second, stock(database) - 1)
    assert stock(database) == 3


def test_a_fence_goes_with_its_transaction(database: Engine) -> None:
    with Session(database) as session:
        check_fence(session, Product, Product.id == 1, fence=7)
        session.rollback()
    sell(database, 6, 1)
    assert stock(database) == 1


def test_other_rows_have_other_fences(database: Engine) -> None:
    sell(database, 9, 1)
    with Session(database) as session, session.begin():
        check_fence(session, Product, Product.id == 2, fence=5)
    with Session(database) as session, pytest.raises(StaleFence):
        check_fence(session, Product, Product.id.in_([1, 2]), fence=6)


def test_tables_and_connections_will_do(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(insert(SHELVES).values(id=1))
        check_fence(connection, SHELVES, SHELVES.c.id == 1, fence=5, column="last_fence")
    with database.begin() as connection, pytest.raises(StaleFence):
        check_fence(connection, SHELVES, SHELVES.c.id == 1, fence=4, column="last_fence")
    with database.connect() as connection:
        assert connection.scalar(select(SHELVES.c.last_fence)) == 5


def test_a_fence_that_is_not_checked_is_told(database: Engine) -> None:
    with Session(database) as session:
        with pytest.raises(LookupError):
            check_fence(session, Product, Product.id == 99, fence=5)
        for call in (
            lambda: check_fence(session, Product, fence=5),
            lambda: check_fence(session, Product, Product.id == 1, fence=0),
            lambda: check_fence(session, Product, Product.id == 1, fence="5"),  # type: ignore[arg-type]
            lambda: check_fence(session, Product, Product.id == 1, fence=True),
            lambda: check_fence(session, Product, Product.id == 1, fence=5, column="fences"),
            lambda: check_fence(session, SHELVES, SHELVES.c.id == 1, fence=5),
        ):
            with pytest.raises(InvalidArgument):
                call()


# In Redis itself


def test_keys_take_nothing_from_those_who_were_overtaken(toolkit: Toolkit) -> None:
    lock, keys = toolkit.make("DistributedLock"), toolkit.make("FencedKeys")
    first = fence_of(lock.acquire("report", toolkit.unit * 1000))
    keys.execute(first, "SET", "report", "by the first")
    toolkit.pass_time(1.1)
    second = fence_of(lock.acquire("report", toolkit.unit * 1000))
    assert keys.execute(second, "SET", "report", "by the second") == b"OK"
    with pytest.raises(StaleFence) as caught:
        keys.execute(first, "SET", "report", "by the first, late")
    assert (caught.value.fence, caught.value.found) == (first, second)
    assert toolkit.client.get("report") == b"by the second"
    assert keys.execute(second, "APPEND", "report", "!") == 14
    # What nobody has written is kept from late ones too, once a later one was there.
    assert keys.execute(second, "DEL", "report") == 1
    with pytest.raises(StaleFence):
        keys.execute(first, "SET", "report", "by the first, later still")


def test_a_command_that_fails_leaves_no_fence(toolkit: Toolkit) -> None:
    keys = toolkit.make("FencedKeys")
    toolkit.client.set("{a}:text", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        keys.execute(9, "LPUSH", "{a}:text", 1)
    with pytest.raises(redis.ResponseError):
        keys.execute(9, "NOSUCH", "{a}:text")
    assert keys.execute(5, "SET", "{a}:text", "y") == b"OK"
    assert toolkit.client.get("{a}:text:fence") == b"5"
    assert toolkit.client.pttl("{a}:text:fence") > 0


def test_a_fenced_command_is_applied_once() -> None:
    with Embedded().client() as client:
        client.script_load(asynchronous.fenced.FENCED.text)
        keys = FencedKeys(Forgetful(client))  # type: ignore[arg-type]
        assert keys.execute(5, "INCRBY", "count", 3) == 3
        assert client.get("count") == b"3"


@pytest.mark.parametrize("key", ["", "{}a", "a{", "a}b", "{{x}"])
def test_keys_whose_place_is_unclear(toolkit: Toolkit, key: str) -> None:
    keys = toolkit.make("FencedKeys")
    if key == "{{x}":
        assert keys.execute(5, "SET", key, 1) == b"OK"
        return
    with pytest.raises(InvalidArgument):
        keys.execute(5, "SET", key, 1)


def test_fences_that_are_none(toolkit: Toolkit) -> None:
    keys = toolkit.make("FencedKeys")
    for fence in (0, -1, "5", True, None, 1.5):
        with pytest.raises(InvalidArgument):
            keys.execute(fence, "SET", "a", 1)
    with pytest.raises(InvalidArgument):
        keys.execute(5, "RPUSH", "a", *range(1001))
    assert list(toolkit.client.scan_iter()) == []


# On PostgreSQL, where transactions overlap


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[Engine]:
    engine = create_engine(postgres.url)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(Product(id=1, stock=5))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("late", [7, 9])
def test_the_second_of_two_transactions_waits_for_the_first(shop: Engine, late: int) -> None:
    """Whoever touches the row second is let in after the first one's commit, and then only with a greater fence."""
    outcomes: list[Any] = []

    def write() -> None:
        try:
            sell(shop, late, late)
        except StaleFence as error:
            outcomes.append(error.found)
        else:
            outcomes.append("written")

    with Session(shop) as session, session.begin():
        check_fence(session, Product, Product.id == 1, fence=8)
        second = threading.Thread(target=write)
        second.start()
        with shop.connect() as looking:
            eventually(lambda: looking.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
        assert not outcomes
        session.execute(update(Product).where(Product.id == 1).values(stock=8))
    second.join(PATIENCE_S)
    assert outcomes == [8 if late < 8 else "written"]
    assert stock(shop) == max(late, 8)


def test_an_asyncio_session_runs_it(shop: Engine, postgres: Postgres) -> None:
    async def run() -> None:
        engine = create_async_engine(postgres.url)
        async with AsyncSession(engine) as session, session.begin():
            await session.run_sync(asynchronous.check_fence, Product, Product.id == 1, fence=5)
        async with AsyncSession(engine) as session, session.begin():
            with pytest.raises(StaleFence):
                await session.run_sync(check_fence, Product, Product.id == 1, fence=4)
        await engine.dispose()

    asyncio.run(run())
