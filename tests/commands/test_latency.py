"""LATENCY: histograms, percentiles, samples of events, graph and report, beside the real servers where that shows."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
import redis

from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.engine.histogram import Histogram, highest_of, place_of
from alcove.engine.latency import MOST_SAMPLES, LatencyMonitor, Sample, percentile_ns, steps
from alcove.values import OK
from tests.commands.test_slowlog import Slow
from tests.comparison.servers import RealServer
from tests.server.wire import Client


@pytest.fixture
def run() -> Slow:
    return Slow()


# Histograms


def test_places_cover_all_times_without_gaps() -> None:
    place = place_of(1)
    ns = 1
    while ns <= 1_000_000_000:
        highest = highest_of(place)
        assert place_of(ns) == place == place_of(highest)
        assert highest - ns <= ns // 128
        place, ns = place + 1, highest + 1
    assert place <= 3072


def test_steps() -> None:
    histogram = Histogram()
    for elapsed_us in (0, 1, 2, 3, 4, 16, 17, 33, 34, 66, 67, 1_000_000, 5_000_000, -3):
        histogram.record(elapsed_us)
    assert steps(histogram) == {1: 3, 2: 4, 4: 6, 16: 7, 33: 9, 66: 11, 132: 12, 1082130: 14}
    assert histogram.calls == 14
    histogram.clear()
    assert (histogram.calls, steps(histogram), histogram.counts()) == (0, {}, [])


def test_percentiles_are_exact_to_a_hundredth() -> None:
    chance = random.Random(2)
    delays = sorted(int(chance.lognormvariate(4, 2)) + 1 for _ in range(5000))
    histogram = Histogram()
    for delay in delays:
        histogram.record(delay)
    for percentile in (1, 50, 90, 99, 99.9, 100):
        exact = delays[max(int(percentile / 100 * len(delays) + 0.5), 1) - 1] * 1000
        assert exact <= percentile_ns(histogram, percentile) <= exact * 1.01
    assert percentile_ns(histogram, 0) <= delays[0] * 1000
    assert percentile_ns(Histogram(), 50) == 0


def test_histogram(run: Slow) -> None:
    for elapsed_us in (1, 3, 40, 40):
        run(f"TAKE {elapsed_us}")
    assert run("LATENCY HISTOGRAM take nosuch get") == {
        b"take": {b"calls": 4, b"histogram_usec": {1: 1, 4: 2, 66: 4}},
    }
    run("CONFIG GET maxmemory")
    run("CONFIG RESETSTAT")
    assert run("LATENCY HISTOGRAM") == {b"config|resetstat": {b"calls": 1, b"histogram_usec": {1: 1}}}
    run("CONFIG GET maxmemory")
    assert list(run("LATENCY HISTOGRAM CONFIG")) == [b"config|get", b"config|resetstat"]
    assert list(run("LATENCY HISTOGRAM Config|Get")) == [b"config|get"]


def test_tracking_can_be_switched_off(run: Slow) -> None:
    run("TAKE 5")
    run("CONFIG SET latency-tracking no")
    run("TAKE 5")
    assert run("LATENCY HISTOGRAM take")[b"take"][b"calls"] == 1
    assert run("INFO latencystats") == b"# Latencystats\r\n"


def test_percentiles_in_info(run: Slow) -> None:
    for elapsed_us in (2, 2, 100):
        run(f"TAKE {elapsed_us}")
    assert b"latency_percentiles_usec_take:p50=2.007,p99=100.351,p99.9=100.351\r\n" in run("INFO latencystats")
    run("CONFIG", "SET", "latency-tracking-info-percentiles", "0 99.95 100")
    assert b"latency_percentiles_usec_take:p0=2.000,p99.95=100.351,p100=100.351\r\n" in run("INFO latencystats")
    run("CONFIG", "SET", "latency-tracking-info-percentiles", "")
    assert b"latency_percentiles_usec_take:\r\n" in run("INFO latencystats")
    assert b"latency_percentiles" not in run("INFO")
    assert b"latency_percentiles" in run("INFO all")


# Events


def test_nothing_is_sampled_unless_asked_for(run: Slow) -> None:
    run("TAKE 5000000")
    assert run("LATENCY LATEST") == []
    assert run("LATENCY HISTORY command") == []
    assert run("LATENCY GRAPH command") == "ERR No samples available for event 'command'"
    assert run("LATENCY RESET") == 0


def test_events(run: Slow) -> None:
    run("CONFIG SET latency-monitor-threshold 100")
    run("TAKE 99999")
    run("TAKE 300000")
    run("TAKE 100000")
    run.clock.advance(10)
    run("TAKE 150000")
    start = 1_700_000_000
    assert run("LATENCY HISTORY command") == [[start, 300], [start + 10, 150]]
    assert run("LATENCY LATEST") == [[b"command", start + 10, 150, 300]]
    run.engine.latency.add("aof-write", 99)
    run.engine.latency.add("aof-write", 100)
    run.engine.latency.add("rdb-save", 1000)
    assert [row[0] for row in run("LATENCY LATEST")] == [b"command", b"aof-write", b"rdb-save"]
    assert run("LATENCY RESET rdb-save nosuch rdb-save") == 1
    assert run("LATENCY RESET") == 2
    assert run("LATENCY LATEST") == []


def test_fast_commands_and_transactions(run: Slow) -> None:
    run("CONFIG SET latency-monitor-threshold 100")

    @run.engine.registry.command("DASH", flags="fast", since="1.0.0", complexity="O(1)", group="generic")
    def dash(ctx: Any) -> object:
        """Lets time pass."""
        run.clock.advance(0.25)
        return OK

    for words in ("MULTI", "DASH", "TAKE 200000", "EXEC"):
        run(words)
    assert [[row[0], row[3]] for row in run("LATENCY LATEST")] == [[b"fast-command", 250], [b"command", 450]]


def test_so_many_samples_are_kept() -> None:
    clock = ManualClock()
    engine = Engine(clock=clock)
    engine.config.set([(b"latency-monitor-threshold", b"1")])
    for elapsed_ms in range(1, 400):
        engine.latency.add("x", elapsed_ms)
        clock.advance(1)
    series = engine.latency.series["x"]
    assert [sample.elapsed_ms for sample in series.samples] == list(range(400 - MOST_SAMPLES, 400))
    assert series.longest_ms == 399


def test_the_report(run: Slow) -> None:
    assert b"latency-monitor-threshold" in run("LATENCY DOCTOR")
    run("CONFIG SET latency-monitor-threshold 10")
    assert b"10 milliseconds" in run("LATENCY DOCTOR")
    run("CONFIG SET slowlog-log-slower-than 20000")
    for elapsed_ms in (10, 30):
        run(f"TAKE {elapsed_ms * 1000}")
        run.clock.advance(5)
    for event in ("fast-command", "expire-cycle", "eviction-del", "aof-fsync-always", "rdb-save", "other"):
        run.engine.latency.add(event, 50)
    report = run("LATENCY DOCTOR").decode()
    assert "2. command: 2 spikes, one every 5 seconds; 20 milliseconds on average, 10 off that on average" in report
    assert "the worst took 30." in report
    assert "7. rdb-save" in report
    assert "slowlog-log-slower-than 10000" in report
    assert report.count("\n- ") == 8
    run("CONFIG SET slowlog-log-slower-than 10000")
    assert "slowlog-log-slower-than" not in run("LATENCY DOCTOR").decode()


def test_redis_py(r: redis.Redis) -> None:
    r.config_set("latency-monitor-threshold", 1)
    assert r.latency_latest() == []
    assert r.latency_history("command") == []
    assert r.latency_reset() == 0
    histograms = r.execute_command("LATENCY HISTOGRAM", "config")
    assert histograms


# Beside the real servers


def graph_of(history: list[list[int]], longest_ms: int) -> bytes:
    """Our graph of samples that a real server has."""
    run = Slow()
    series = LatencyMonitor(run.engine.config, run.clock).series
    assert series == {}
    run.engine.config.set([(b"latency-monitor-threshold", b"1")])
    run.engine.latency.add("command", longest_ms)
    run.engine.latency.series["command"].samples[:] = [Sample(*sample) for sample in history]
    run.clock.advance(time.time() - run.clock.now_us() / 1_000_000)
    reply = run("LATENCY GRAPH command")
    assert isinstance(reply, bytes)
    return reply


def test_the_graph_is_that_of_the_real_servers(real: RealServer) -> None:
    with Client(str(real.path)) as client:
        client.call("CONFIG", "SET", "latency-monitor-threshold", "1")
        client.call("LATENCY", "RESET")
        for delay_ms in (40, 11):
            client.call("DEBUG", "SLEEP", f"{delay_ms / 1000}")
            client.call("DEBUG", "SLEEP", f"{delay_ms / 2000}")
            second = int(time.time())
            while int(time.time()) == second:
                time.sleep(0.01)
        theirs, ours = b"", b" "
        for _ in range(5):
            # Anew if a second has gone by between the one and the other.
            ((_, _, _, longest_ms),) = client.call("LATENCY", "LATEST")
            history = client.call("LATENCY", "HISTORY", "command")
            theirs, ours = client.call("LATENCY", "GRAPH", "command"), graph_of(history, longest_ms)
            if theirs == ours:
                break
        assert ours.decode() == theirs.decode()
        assert client.call("LATENCY", "RESET", "command", "x") == 1


def test_long_graphs_go_on_below() -> None:
    now_s = int(time.time())
    history = [[now_s - 200_000 + 1250 * number, 10 + number] for number in range(MOST_SAMPLES)]
    head, rule, *rows = graph_of(history, 1000).decode().splitlines()
    assert head == f"command - high {9 + MOST_SAMPLES} ms, low 10 ms (all time high 1000 ms)"
    assert rule == "-" * 80
    first, second = rows[: rows.index("")], rows[rows.index("") + 1 :]
    assert {len(row) for row in first} == {len(row) for row in second} == {80}
    assert [first[0], first[3][:4]] == [" " * 80, "____"]
    assert [second[0][-4:], second[3]] == ["####", "|" * 80]
    assert [row[0] for row in first[5:]] == ["2", "d"]
    assert [row[-1] for row in second[5:]][:3] == ["2", "0", "m"]


ERRORS = ["", "GRAPH", "GRAPH nosuch", "GRAPH a b", "HISTORY", "HISTORY a", "LATEST a", "DOCTOR a", "FOO", "RESET x y"]


def test_errors_and_the_form_of_histograms_are_those_of_the_real_servers(real: RealServer) -> None:
    with Client(str(real.path)) as client:
        run = Slow()
        for words in ERRORS:
            theirs = client.call("LATENCY", *words.split())
            assert run("LATENCY", *words.split()) == getattr(theirs, "text", theirs)
        client.call("HELLO", "3")
        client.call("CONFIG", "RESETSTAT")
        for milliseconds in ("0", "0.0005", "0.005", "0.02"):
            client.call("DEBUG", "SLEEP", milliseconds)
        theirs = client.call("LATENCY", "HISTOGRAM", "debug", "nosuch")
        reaches = {highest_of(place_of(1024 << power)) // 1000 for power in range(21)}
        assert theirs[b"debug"][b"calls"] == 4
        assert theirs[b"debug"][b"histogram_usec"].keys() <= reaches
        assert 33816 in reaches
