"""Every call of `cases`, in the process and over TCP, under all of redis-py's protocols and ways to show replies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import redis
import redis.asyncio

import alcove
import alcove.asyncio
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from tests.client.cases import CASES, NOT_IN_PIPELINES
from tests.client.compare import exact

MODES = {
    f"protocol={protocol} legacy={legacy} decode={decode}": {
        "protocol": protocol,
        "legacy_responses": legacy,
        "decode_responses": decode,
    }
    for protocol, legacy, decode in product((None, 2, 3), (True, False), (False, True))
}
IN_PIPELINES = {name: case for name, case in CASES.items() if name not in NOT_IN_PIPELINES}


@pytest.fixture(params=MODES.values(), ids=list(MODES))
def mode(request: pytest.FixtureRequest) -> dict[str, Any]:
    mode: dict[str, Any] = request.param
    return mode


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server with an engine of its own."""
    with alcove.serve(engine=new_engine()) as server:
        yield server.port


def new_engine() -> Engine:
    """Time stands still, and has come equally far wherever the cases are run."""
    return Engine(clock=Waiting())


class Waiting(ManualClock):
    """A clock that stands still for keys, while timeouts of waits go by the machine's."""

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000


def outcomes(client: Any) -> dict[str, Any]:
    found = {}
    for name, case in CASES.items():
        try:
            found[name] = exact(case(client))
        except Exception as error:
            found[name] = exact(error)
    return found


async def outcomes_of_async(client: Any) -> dict[str, Any]:
    found = {}
    for name, case in CASES.items():
        try:
            found[name] = exact(await case(client))
        except Exception as error:
            found[name] = exact(error)
    await client.aclose()
    return found


def differences(here: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    return {name: (here[name], there[name]) for name in here if here[name] != there[name]}


def test_calls(mode: dict[str, Any], port: int) -> None:
    with alcove.open(engine=new_engine(), **mode) as here, redis.Redis(port=port, **mode) as there:
        assert differences(outcomes(here), outcomes(there)) == {}


def test_calls_on_a_single_connection(mode: dict[str, Any], port: int) -> None:
    mode["single_connection_client"] = True
    with alcove.open(engine=new_engine(), **mode) as here, redis.Redis(port=port, **mode) as there:
        assert differences(outcomes(here), outcomes(there)) == {}


def test_asynchronous_calls(mode: dict[str, Any], port: int) -> None:
    async def run() -> dict[str, Any]:
        here = alcove.asyncio.open(engine=new_engine(), **mode)
        there = redis.asyncio.Redis(port=port, **mode)
        return differences(await outcomes_of_async(here), await outcomes_of_async(there))

    assert asyncio.run(run()) == {}


@pytest.mark.parametrize("transaction", [False, True], ids=["plain", "transaction"])
@pytest.mark.parametrize("size", [1, 7, len(CASES)])
def test_pipelines(mode: dict[str, Any], port: int, transaction: bool, size: int) -> None:
    """Of one command, of a few (some plain throughout, some not), and of all."""

    def results(client: redis.Redis) -> list[Any]:
        found = []
        cases = list(IN_PIPELINES.values())
        for start in range(0, len(cases), size):
            pipeline = client.pipeline(transaction=transaction)
            for case in cases[start : start + size]:
                case(pipeline)
            try:
                found.append(exact(pipeline.execute(raise_on_error=False)))
            except Exception as error:
                found.append(exact(error))
        return found

    with alcove.open(engine=new_engine(), **mode) as here, redis.Redis(port=port, **mode) as there:
        assert results(here) == results(there)


@pytest.mark.parametrize("transaction", [False, True], ids=["plain", "transaction"])
def test_asynchronous_pipelines(mode: dict[str, Any], port: int, transaction: bool) -> None:
    async def results(client: Any) -> list[Any]:
        found = []
        cases = list(IN_PIPELINES.values())
        for start in range(0, len(cases), 7):
            pipeline = client.pipeline(transaction=transaction)
            for case in cases[start : start + 7]:
                case(pipeline)
            try:
                found.append(exact(await pipeline.execute(raise_on_error=False)))
            except Exception as error:
                found.append(exact(error))
        await client.aclose()
        return found

    async def run() -> tuple[list[Any], list[Any]]:
        here = alcove.asyncio.open(engine=new_engine(), **mode)
        there = redis.asyncio.Redis(port=port, **mode)
        return await results(here), await results(there)

    here, there = asyncio.run(run())
    assert here == there
