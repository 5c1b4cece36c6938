"""Caches in front of real databases: the four patterns over SQLAlchemy, and invalidation by events."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy
from sqlalchemy import String, delete, event, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

import alcove.patterns
import alcove.patterns.asyncio
from alcove.patterns import InvalidArgument, Update
from tests.patterns.conftest import Toolkit
from tests.patterns.databases import Postgres
from tests.waiting import PATIENCE_S, eventually


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    city: Mapped[str | None] = mapped_column(String(50))
    version: Mapped[int | None] = mapped_column(sqlalchemy.BigInteger)


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    stock: Mapped[int]
    status: Mapped[str] = mapped_column(String(20), default="active")


class Pair(Base):
    __tablename__ = "pairs"
    one: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped[int] = mapped_column(primary_key=True)


class Database:
    """A database in the toolkit's flavour, with a session to change it behind everybody's back."""

    def __init__(self, toolkit: Toolkit, url: str, async_url: str) -> None:
        self.toolkit = toolkit
        self.plain = sqlalchemy.create_engine(url)
        Base.metadata.drop_all(self.plain)
        Base.metadata.create_all(self.plain)
        with sessionmaker(self.plain).begin() as session:
            session.add_all([User(id=number, name=f"user {number}", city="Rome") for number in range(1, 6)])
            session.add_all([Product(id=number, name=f"product {number}", stock=10) for number in range(1, 6)])
            session.add(Product(id=6, name="no more made", stock=0, status="gone"))
        # Connections belong to the loop that made them.
        self.engine: Any = (
            create_async_engine(async_url, poolclass=sqlalchemy.NullPool) if toolkit.thread else self.plain
        )

    def made(self, name: str, *args: Any, **options: Any) -> Any:
        """A class or function of the toolkit that speaks to this database, in its own flavour."""
        home = alcove.patterns.asyncio if self.toolkit.thread else alcove.patterns
        return getattr(home, name)(self.engine, *args, **options)

    def run(self, made: Any) -> Any:
        """What a call of the toolkit's answers."""
        return self.toolkit.thread.run(made) if self.toolkit.thread else made

    def committed(self, work: Callable[[Any], Any], watched: Any) -> None:
        """What a program does in a session that is watched, and commits."""
        if self.toolkit.thread is None:
            with watched() as session:
                work(session)
                session.commit()
            return

        async def done() -> None:
            async with watched() as session:
                await session.run_sync(work)
                await session.commit()

        self.toolkit.thread.run(done())


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, live_toolkit: Toolkit, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        path = tmp_path / "test.sqlite"
        made = Database(live_toolkit, f"sqlite:///{path}", f"sqlite+aiosqlite:///{path}")
    else:
        url = request.getfixturevalue("postgres").url
        made = Database(live_toolkit, url, url)
    yield made
    made.plain.dispose()


def bare(toolkit: Toolkit, made: Any) -> Any:
    """The toolkit's object itself, for others of the toolkit to use."""
    return made._target if toolkit.thread else made


# The four patterns


def test_cache_aside_and_write_through(live_toolkit: Toolkit, database: Database) -> None:
    cache, users = live_toolkit.make("Cache"), database.made("SqlTable", User)
    ann = {"id": 1, "name": "user 1", "city": "Rome", "version": None}
    statements: list[str] = []
    engine = database.engine.sync_engine if live_toolkit.thread else database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for _ in range(2):
        assert cache.get_or_load("user:1", lambda: users.load("1")) == ann
    assert len(statements) == 1
    assert cache.get_or_load("user:99", lambda: users.load(99)) is None
    changed = cache.write_through("user:1", lambda: users.save(1, {"city": "Oslo"}))
    assert changed == cache.get("user:1") == ann | {"city": "Oslo"}
    assert cache.write_through("user:99", lambda: users.save(99, {"city": "Oslo"})) is None


def test_write_behind(live_toolkit: Toolkit, database: Database) -> None:
    users = database.made("SqlTable", User, version="version")
    behind = live_toolkit.make("WriteBehind", load=users.load, write=users.write)
    behind.update("1", {"city": "Oslo"})
    behind.update("1", {"name": "Ann"})
    behind.update("77", {"name": "new", "city": "Bern"})
    assert behind.get("1")["city"] == "Oslo"
    behind.flush()
    with database.plain.connect() as connection:
        rows = connection.execute(sqlalchemy.select(User.id, User.name, User.city).where(User.id.in_([1, 77]))).all()
    assert sorted(map(tuple, rows)) == [(1, "Ann", "Oslo"), (77, "new", "Bern")]
    assert behind.lag().dead == 0


def test_an_update_that_comes_late_or_twice_changes_nothing(live_toolkit: Toolkit, database: Database) -> None:
    users = database.made("SqlTable", User, version="version")

    def write(version: int, **changes: Any) -> None:
        database.run(users.write(Update("1", changes, version, 1, 0.0)))

    write(5, city="Oslo")
    write(5, city="Oslo")
    write(4, city="Rome", name="late")
    write(6, name="Ann")
    with database.plain.connect() as connection:
        row = connection.execute(sqlalchemy.select(User.name, User.city, User.version).where(User.id == 1)).one()
    assert tuple(row) == ("Ann", "Oslo", 6)
    with pytest.raises(InvalidArgument):
        write(7, colour="red")
    with pytest.raises(InvalidArgument):
        write(7, id=2)
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        database.run(users.write(Update("78", {"name": None}, 1, 1, 0.0)))


def test_refresh_ahead(live_toolkit: Toolkit, database: Database) -> None:
    cache, users = (
        live_toolkit.make("Cache", refresh_ahead=0.999, ttl=1000.0, jitter=0.0),
        database.made("SqlTable", User),
    )
    cache.get_or_load("user:1", lambda: users.load(1))
    with database.plain.begin() as connection:
        connection.execute(update(User).values(city="Oslo"))
    time.sleep(1.1)
    assert cache.get_or_load("user:1", lambda: users.load(1))["city"] == "Rome"
    cache.settled()
    assert cache.get("user:1")["city"] == "Oslo"


def test_products(live_toolkit: Toolkit, database: Database) -> None:
    store = database.made("SqlProducts", Product, where=Product.status == "active")
    products = live_toolkit.make("ProductCache", store)
    assert [product["id"] for product in products.get_products(1, 10)] == [1, 2, 3, 4, 5]
    assert products.get_product(1)["stock"] == 10
    products.update_inventory(1, 3)
    assert products.get_product(1)["stock"] == 7
    assert products.get_products(1, 2)[0]["stock"] == 7
    with database.plain.connect() as connection:
        assert connection.execute(sqlalchemy.select(Product.stock).where(Product.id == 1)).scalar_one() == 7
    with pytest.raises(LookupError):
        products.update_inventory(99, 1)


def test_tables_that_do_not_fit(live_toolkit: Toolkit, database: Database) -> None:
    for call in (
        lambda: database.made("SqlTable", Pair),
        lambda: database.made("SqlTable", User, key="colour"),
        lambda: database.made("SqlTable", User, version="colour"),
    ):
        with pytest.raises(InvalidArgument):
            call()
    users = database.made("SqlTable", User)
    with pytest.raises(InvalidArgument):
        database.run(users.load("x"))


# What a program commits


def watched_sessions(database: Database, cache: Any) -> Any:
    toolkit = database.toolkit
    sessions: Any = async_sessionmaker(database.engine) if toolkit.thread else sessionmaker(database.engine)
    if toolkit.thread:
        # Events are those of a class: one for this test only.
        from sqlalchemy.orm import Session

        sessions = async_sessionmaker(database.engine, sync_session_class=type("Watched", (Session,), {}))
    home = alcove.patterns.asyncio if toolkit.thread else alcove.patterns
    home.invalidate_on_commit(sessions, bare(toolkit, cache))
    return sessions


def test_what_is_committed_is_invalidated(live_toolkit: Toolkit, database: Database) -> None:
    cache = live_toolkit.make("Cache")
    sessions = watched_sessions(database, cache)

    def fill() -> None:
        for number in (1, 2):
            cache.set(f"users:{number}", "cached")
        cache.set("list", "cached", tags=["users"])
        cache.set("products:1", "cached", tags=["products"])

    def there() -> list[str]:
        return [key for key in ("users:1", "users:2", "list", "products:1") if cache.get(key) is not None]

    fill()

    def change(session: Any) -> None:
        session.get(User, 1).city = "Oslo"
        session.flush()
        assert there() == ["users:1", "users:2", "list", "products:1"] if live_toolkit.thread is None else True

    database.committed(change, sessions)
    assert there() == ["users:2", "products:1"]
    fill()
    database.committed(lambda session: session.execute(update(User).where(User.id > 3).values(city="Bern")), sessions)
    assert there() == ["users:1", "users:2", "products:1"]
    fill()
    database.committed(lambda session: session.delete(session.get(User, 2)), sessions)
    assert there() == ["users:1", "products:1"]
    fill()
    database.committed(lambda session: session.add(User(id=50, name="new")), sessions)
    assert there() == ["users:1", "users:2", "products:1"]
    fill()
    database.committed(lambda session: session.execute(delete(User).where(User.id == 50)), sessions)
    assert "list" not in there()


def test_what_is_rolled_back_is_not(live_toolkit: Toolkit, database: Database) -> None:
    cache = live_toolkit.make("Cache")
    sessions = watched_sessions(database, cache)
    cache.set("users:1", "cached")
    cache.set("users:2", "cached")

    def change(session: Any) -> None:
        session.get(User, 1).city = "Oslo"
        session.flush()
        session.rollback()

    database.committed(change, sessions)
    assert cache.get("users:1") == "cached"

    def within(session: Any) -> None:
        session.get(User, 2).city = "Oslo"
        session.flush()
        savepoint = session.begin_nested()
        session.get(User, 3).city = "Oslo"
        session.flush()
        savepoint.rollback()

    database.committed(within, sessions)
    assert cache.get("users:2") is None


def test_a_key_that_changes(live_toolkit: Toolkit, database: Database) -> None:
    cache = live_toolkit.make("Cache")
    sessions = watched_sessions(database, cache)
    cache.set("users:1", "cached")
    cache.set("users:100", "cached")

    def change(session: Any) -> None:
        session.get(User, 1).id = 100

    database.committed(change, sessions)
    assert cache.get("users:1") is cache.get("users:100") is None


class Away:
    """A client whose server cannot be reached; for asyncio as well."""

    def __init__(self, asynchronous: bool) -> None:
        self._asynchronous = asynchronous

    def execute_command(self, *words: Any, **options: Any) -> Any:
        if not self._asynchronous:
            raise redis.ConnectionError("nobody listens")

        async def failing() -> None:
            raise redis.ConnectionError("nobody listens")

        return failing()


def test_a_commit_does_not_fail_when_the_cache_is_away(
    live_toolkit: Toolkit, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    home: Any = alcove.patterns.asyncio if live_toolkit.thread else alcove.patterns
    cache = home.Cache(Away(live_toolkit.thread is not None))
    sessions = watched_sessions(database, cache if live_toolkit.thread is None else type("", (), {"_target": cache})())

    def change(session: Any) -> None:
        session.get(User, 1).city = "Oslo"

    with caplog.at_level(logging.ERROR):
        database.committed(change, sessions)
    assert "was not told" in caplog.text
    with database.plain.connect() as connection:
        assert connection.execute(sqlalchemy.select(User.city).where(User.id == 1)).scalar_one() == "Oslo"


# What PostgreSQL tells, and streams of changes


def run_beside(toolkit: Toolkit, function: Any, *args: Any, **options: Any) -> Callable[[], None]:
    """Runs a function of the toolkit's beside the test; answers what waits for its end."""
    if toolkit.thread is None:
        thread = threading.Thread(target=function, args=args, kwargs=options, daemon=True)
        thread.start()
        return lambda: thread.join(PATIENCE_S)
    import asyncio

    future = asyncio.run_coroutine_threadsafe(function(*args, **options), toolkit.thread.loop)
    return lambda: future.result(PATIENCE_S)


def test_postgres_tells_of_changes(live_toolkit: Toolkit, postgres: Postgres) -> None:
    database = Database(live_toolkit, postgres.url, postgres.url)
    home: Any = alcove.patterns.asyncio if live_toolkit.thread else alcove.patterns
    cache = live_toolkit.make("Cache")
    conninfo = postgres.url.replace("postgresql+psycopg", "postgresql")
    changes = home.PostgresChanges(conninfo, {"users": "id", "products": "id"})
    for _ in range(2):
        database.run(changes.install())
    cache.set("users:0", "from before it listened")
    wait = run_beside(live_toolkit, home.invalidate_from, changes, bare(live_toolkit, cache))

    eventually(lambda: cache.get("users:0") is None)

    def told(sql: str, *gone: str) -> None:
        for key in ("users:1", "users:2", "products:1", "users:7"):
            cache.set(key, "cached")
        cache.set("list", "cached", tags=["users"])
        with database.plain.begin() as connection:
            connection.exec_driver_sql(sql)
        eventually(lambda: all(cache.get(key) is None for key in gone))
        kept = {"users:1", "users:2", "products:1", "users:7", "list"} - set(gone)
        assert all(cache.get(key) == "cached" for key in kept)

    told("UPDATE users SET city = 'Oslo' WHERE id = 1", "users:1", "list")
    told("UPDATE users SET id = 7 WHERE id = 2", "users:2", "users:7", "list")
    told("DELETE FROM users WHERE id = 7", "users:7", "list")
    told("INSERT INTO users (id, name) VALUES (2, 'again')", "users:2", "list")
    told("UPDATE products SET stock = 1 WHERE id = 1", "products:1")
    told("TRUNCATE users", "list")
    # The connection is lost: what was missed is unknown, so everything is forgotten.
    cache.set("anything", 1)
    with database.plain.connect() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'")
    eventually(lambda: cache.get("anything") is None)
    told("UPDATE products SET stock = 2 WHERE id = 1", "products:1")
    changes.close()
    wait()
    database.run(changes.remove())
    with database.plain.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal").scalar_one() == 0
    database.plain.dispose()


def test_any_stream_of_changes(live_toolkit: Toolkit) -> None:
    """Such as that of the chapter, MongoDB's `watch`."""
    home: Any = alcove.patterns.asyncio if live_toolkit.thread else alcove.patterns
    cache = live_toolkit.make("Cache")
    for number in range(4):
        cache.set(f"user:{number}", number)
    stream = [
        {"operationType": "update", "documentKey": {"_id": 1}},
        {"operationType": "insert", "documentKey": {"_id": 2}},
        {"operationType": "update", "documentKey": {"_id": 3}},
    ]

    async def asynchronous() -> Any:
        for change in stream:
            yield change

    def keys(change: dict[str, Any]) -> list[str]:
        return [f"user:{change['documentKey']['_id']}"] if change["operationType"] == "update" else []

    changes: Any = asynchronous() if live_toolkit.thread else iter(stream)
    run_beside(
        live_toolkit, home.invalidate_from, changes, bare(live_toolkit, cache), keys=keys, tags=lambda change: []
    )()
    assert [cache.get(f"user:{number}") for number in range(4)] == [0, None, 2, None]


@pytest.mark.parametrize("wrong", ["users; DROP TABLE users", 'a"b', "a'b", "", "x" * 64, "a:b", "a-b"])
def test_names_do_not_become_sql(wrong: str) -> None:
    for options in ({"tables": {wrong: "id"}}, {"tables": {"users": wrong}}, {"tables": {}, "channel": wrong}):
        with pytest.raises(InvalidArgument):
            alcove.patterns.PostgresChanges("postgresql://localhost", **options)  # type: ignore[arg-type]
