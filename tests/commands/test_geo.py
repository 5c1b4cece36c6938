"""The geo commands: the documentation's examples as a real server answers them, polygons, effects and errors."""

from __future__ import annotations

import math
import random

import pytest

from alcove.types import geohash
from alcove.values import NULL_ARRAY
from tests.commands.watched import Watched

SYNTAX = "ERR syntax error"
PALERMO = [b"13.36138933897018433", b"38.11555639549629859"]
CATANIA = [b"15.08726745843887329", b"37.50266842333162032"]
EVERYTHING = "FROMLONLAT 15 37 BYRADIUS 20000 km"


@pytest.fixture
def run() -> Watched:
    return Watched()


@pytest.fixture
def sicily(run: Watched) -> Watched:
    run("GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania")
    run("GEOADD Sicily 12.758489 38.788135 edge1 17.241510 38.788135 edge2")
    return run


def test_geoadd_is_recorded_as_zadd(run: Watched) -> None:
    assert run("GEOADD k nx CH 13.361389 38.115556 Palermo 15.087269 37.502669 Catania") == 2
    assert (run.events, run.changes) == (["new k", "zadd k"], 2)
    words = [b"3479099956230698", b"Palermo", b"3479447370796909", b"Catania"]
    assert run.recorded == [[b"ZADD", b"k", b"nx", b"CH", *words]]
    assert run("GEOADD k 13.361389 38.115556 Palermo") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("GEOADD k XX CH 0 0 Palermo 0 0 other") == 1
    assert run("ZRANGE k 0 -1") == [b"Palermo", b"Catania"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("180.1 0 a", "ERR invalid longitude,latitude pair 180.100000,0.000000"),
        ("0 -85.06 a", "ERR invalid longitude,latitude pair 0.000000,-85.060000"),
        ("inf 0 a", "ERR invalid longitude,latitude pair inf,0.000000"),
        ("x 0 a", "ERR value is not a valid float"),
        ("0 0 a 0 0", SYNTAX),
        ("NX XX 0 0 a", SYNTAX),
        ("GT 0 0 a", SYNTAX),
        ("NX CH CH", SYNTAX),
    ],
)
def test_errors_of_geoadd_leave_no_key(run: Watched, words: str, error: str) -> None:
    assert run(f"GEOADD k {words}") == error
    assert run("EXISTS k") == 0


def test_places(sicily: Watched) -> None:
    assert sicily("GEOPOS Sicily Palermo x Catania") == [PALERMO, NULL_ARRAY, CATANIA]
    assert sicily("GEOPOS none a") == [NULL_ARRAY]
    assert sicily("GEOPOS Sicily") == []
    assert sicily("GEOHASH Sicily Palermo x Catania") == [b"sqc8b49rny0", None, b"sqdtr74hyu0"]
    assert sicily("GEOHASH none a") == [None]
    sicily("ZADD odd 0 corner 3377699720527872 middle")
    assert sicily("GEOPOS odd corner middle")[1] == [b"0.00000268220901489", b"0.00000126736058093"]


def test_geodist(sicily: Watched) -> None:
    assert sicily("GEODIST Sicily Palermo Catania") == b"166274.1516"
    assert sicily("GEODIST Sicily Palermo Catania KM") == b"166.2742"
    assert sicily("GEODIST Sicily Palermo Catania mi") == b"103.3182"
    assert sicily("GEODIST Sicily Palermo Catania ft") == b"545518.8700"
    assert sicily("GEODIST Sicily Palermo Palermo") == b"0.0000"
    assert sicily("GEODIST Sicily Palermo x") is None
    assert sicily("GEODIST none Palermo x") is None
    assert sicily("GEODIST Sicily Palermo Catania cm") == "ERR unsupported unit provided. please use M, KM, FT, MI"
    assert sicily("GEODIST Sicily Palermo Catania m x") == SYNTAX


def test_geosearch(sicily: Watched) -> None:
    assert sicily("GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH") == [
        [b"Catania", b"56.4413", 3479447370796909, CATANIA],
        [b"Palermo", b"190.4424", 3479099956230698, PALERMO],
    ]
    assert sicily("GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST") == [
        [b"Catania", b"56.4413"],
        [b"Palermo", b"190.4424"],
        [b"edge2", b"279.7403"],
        [b"edge1", b"279.7405"],
    ]
    assert sicily("GEOSEARCH Sicily BYRADIUS 0 m FROMMEMBER Palermo") == [b"Palermo"]
    assert sicily(f"GEOSEARCH Sicily {EVERYTHING} COUNT 2") == [b"Catania", b"Palermo"]
    assert sicily(f"GEOSEARCH Sicily {EVERYTHING} COUNT 1 DESC") == [b"edge1"]
    assert len(sicily(f"GEOSEARCH Sicily {EVERYTHING} COUNT 3 ANY")) == 3
    assert sicily(f"GEOSEARCH none {EVERYTHING}") == []
    assert sicily("GEOSEARCH none FROMMEMBER x BYRADIUS 1 m") == []


def test_polygons(sicily: Watched) -> None:
    around = "BYPOLYGON 4 13 38 16 37 16 38 13.5 38.5"
    assert sorted(sicily(f"GEOSEARCH Sicily {around}")) == [b"Catania", b"Palermo"]
    assert sicily("GEOSEARCH Sicily BYPOLYGON 3 13 38 14 38 13.4 38.3 WITHDIST") == [[b"Palermo", b"9368.1493"]]
    assert sicily(f"GEOSEARCHSTORE d Sicily {around} ASC COUNT 1") == 1
    for shape in ("BYRADIUS 1 m", "BYBOX 1 1 m", "FROMMEMBER Palermo", "FROMLONLAT 1 1"):
        assert sicily(f"GEOSEARCH Sicily {around} {shape}") == SYNTAX
        assert sicily(f"GEOSEARCH Sicily {shape} {around}") == SYNTAX
    few = "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"
    assert sicily("GEOSEARCH Sicily BYPOLYGON 2 1 1 2 2") == few
    assert sicily("GEOSEARCH Sicily BYPOLYGON 4 1 1 2 2 3 3") == few
    assert sicily("GEOSEARCH Sicily BYPOLYGON x 1 1 2 2") == "ERR invalid number of vertices"
    assert sicily("GEOSEARCH Sicily BYPOLYGON 3 1 1 2 2 3 86").startswith("ERR invalid longitude,latitude pair")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("BYRADIUS 1 m ASC WITHDIST", "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH"),
        ("FROMMEMBER Palermo ASC BYRADIUS 1", SYNTAX),
        (
            "FROMLONLAT 1 1 ASC WITHDIST",
            "ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for GEOSEARCH",
        ),
        ("FROMMEMBER x BYRADIUS 1 m", "ERR could not decode requested zset member"),
        ("FROMLONLAT 1 1 FROMMEMBER x BYRADIUS 1 m", SYNTAX),
        ("FROMLONLAT 1 1 BYRADIUS 1 m BYBOX 1 1 m", SYNTAX),
        ("FROMLONLAT 1 1 BYRADIUS x m", "ERR need numeric radius"),
        ("FROMLONLAT 1 1 BYRADIUS -1 m", "ERR radius cannot be negative"),
        ("FROMLONLAT 1 1 BYRADIUS 1 x", "ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("FROMLONLAT 1 1 BYBOX x 1 m", "ERR need numeric width"),
        ("FROMLONLAT 1 1 BYBOX 1 x m", "ERR need numeric height"),
        ("FROMLONLAT 1 1 BYBOX 1 -1 m", "ERR height or width cannot be negative"),
        ("FROMLONLAT 1 1 BYRADIUS 1 m COUNT 0", "ERR COUNT must be > 0"),
        ("FROMLONLAT 1 1 BYRADIUS 1 m ANY", "ERR the ANY argument requires COUNT argument"),
        ("FROMLONLAT 1 1 BYRADIUS 1 m STOREDIST", SYNTAX),
        ("FROMLONLAT 1 1 BYRADIUS 1 m COUNT", SYNTAX),
    ],
)
def test_errors_of_geosearch(sicily: Watched, words: str, error: str) -> None:
    assert sicily(f"GEOSEARCH Sicily {words}") == error


def test_geosearchstore(sicily: Watched) -> None:
    assert sicily("GEOSEARCHSTORE d Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 3 STOREDIST") == 3
    assert (sicily.events, sicily.changes) == (["new d", "geosearchstore d"], 1)
    assert sicily("ZRANGE d 0 -1 WITHSCORES") == [
        (b"Catania", 56.4412578701582),
        (b"Palermo", 190.44242984775784),
        (b"edge2", 279.7403417843143),
    ]
    assert sicily("GEOSEARCHSTORE d Sicily FROMMEMBER Palermo BYRADIUS 1 m") == 1
    assert sicily("ZSCORE d Palermo") == 3479099956230698.0
    assert sicily("GEOSEARCHSTORE d Sicily FROMLONLAT 0 0 BYRADIUS 1 m") == 0
    assert sicily.events == ["del d"]
    assert sicily(f"GEOSEARCHSTORE d none {EVERYTHING}") == 0
    refusal = "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
    assert sicily(f"GEOSEARCHSTORE d Sicily {EVERYTHING} WITHDIST") == refusal


def test_georadius(sicily: Watched) -> None:
    around = "Sicily 15 37 200 km"
    assert sicily(f"GEORADIUS {around} DESC") == [b"Palermo", b"Catania"]
    assert sicily(f"GEORADIUS_RO {around} WITHDIST COUNT 1") == [[b"Catania", b"56.4413"]]
    assert sicily("GEORADIUSBYMEMBER Sicily Palermo 100 km ASC") == [b"Palermo", b"edge1"]
    assert sicily("GEORADIUSBYMEMBER_RO Sicily Palermo 1 m") == [b"Palermo"]
    assert sicily(f"GEORADIUS {around} STORE d") == 2
    assert sicily.events == ["new d", "georadiusstore d"]
    assert sicily(f"GEORADIUS {around} STORE other STOREDIST d") == 2
    assert sicily("EXISTS other") == 0
    assert sicily("ZSCORE d Catania") == 56.4412578701582
    assert sicily("GEORADIUSBYMEMBER Sicily edge1 1 m STORE d") == 1
    assert sicily("GEORADIUS none 1 1 1 m STORE d") == 0
    assert sicily.events == ["keymiss none", "del d"]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("GEORADIUS Sicily 1 1 1 m STORE d WITHDIST", "ERR STORE option in GEORADIUS is not compatible with WITHDIST, "
         "WITHHASH and WITHCOORD options"),
        ("GEORADIUS_RO Sicily 1 1 1 m STORE d", SYNTAX),
        ("GEORADIUSBYMEMBER_RO Sicily Palermo 1 m STOREDIST d", SYNTAX),
        ("GEORADIUSBYMEMBER Sicily x 1 m", "ERR could not decode requested zset member"),
        ("GEORADIUS Sicily 1 1 1 cm", "ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEORADIUS Sicily 1 1 1 m STORE", SYNTAX),
    ],
)  # fmt: skip
def test_errors_of_georadius(sicily: Watched, command: str, error: str) -> None:
    assert sicily(command) == error


def test_member_searches_ask_nothing_of_a_missing_key(run: Watched) -> None:
    assert run("GEORADIUSBYMEMBER none x -5 parsec") == []
    assert run("GEORADIUSBYMEMBER none x -5 parsec FOO") == SYNTAX


def test_searches_find_what_looking_at_all_finds(run: Watched) -> None:
    rng = random.Random(4)
    places = {}
    for at in range(400):
        place = rng.uniform(-170, 170), rng.uniform(-80, 80)
        places[b"m%d" % at] = geohash.encode(*place)
        run(f"GEOADD k {place[0]} {place[1]} m{at}")
    for _ in range(60):
        longitude, latitude = rng.uniform(-90, 90), rng.uniform(-50, 50)
        radius = 10 ** rng.uniform(4, 6.4)
        area = geohash.Circle(longitude, latitude, radius, 1.0)
        distances = {member: area.distance_to(score) for member, score in places.items()}
        within = sorted((member for member, away in distances.items() if away >= 0), key=distances.__getitem__)
        assert run(f"GEOSEARCH k FROMLONLAT {longitude} {latitude} BYRADIUS {radius} m ASC") == within


def test_any_score_can_be_asked_for(run: Watched) -> None:
    run("ZADD k inf a -inf b -1 c 1e300 d 0.5 e")
    assert len(run("GEOPOS k a b c d e")) == 5
    replies = run(f"GEOSEARCH k {EVERYTHING} WITHHASH")
    assert all(isinstance(score, int) for _, score in replies)
    assert math.isfinite(float(run("GEODIST k a b")))
