"""Geohashes: known places and distances, and that a search's ranges of scores miss nothing within its area."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from alcove.types import geohash
from alcove.types.geohash import Area, Box, Circle, Polygon

LONGITUDES = st.floats(-180, 180)
LATITUDES = st.floats(-85.05112878, 85.05112878)
# The finest cells are this wide, in degrees.
CELL_LONGITUDE = 360 / 2**26
CELL_LATITUDE = 2 * 85.05112878 / 2**26


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_bits_interleave(even: int, odd: int) -> None:
    bits = geohash.spread(even) | geohash.spread(odd) << 1
    assert geohash.gather(bits) == even
    assert geohash.gather(bits >> 1) == odd
    assert bits < 2**64


@pytest.mark.parametrize(
    ("longitude", "latitude", "score", "text"),
    [
        (13.361389, 38.115556, 3479099956230698.0, b"sqc8b49rny0"),
        (15.087269, 37.502669, 3479447370796909.0, b"sqdtr74hyu0"),
        (0.0, 0.0, 3377699720527872.0, b"s0000000000"),
        (-180.0, -85.05112878, 0.0, b"00bh0hbj200"),
    ],
)
def test_known_places(longitude: float, latitude: float, score: float, text: bytes) -> None:
    assert geohash.encode(longitude, latitude) == score
    assert geohash.text(score) == text


@given(LONGITUDES, LATITUDES)
def test_decoding_finds_the_place_again(longitude: float, latitude: float) -> None:
    score = geohash.encode(longitude, latitude)
    assert abs(geohash.longitude_of(score) - longitude) <= CELL_LONGITUDE
    # At 180 degrees, and where the sum rounds to it, a geohash has a bit more than a double holds.
    at_the_end = longitude + 180.0 >= 360.0
    assert abs(geohash.latitude_of(score) - latitude) <= (2 * CELL_LATITUDE if at_the_end else CELL_LATITUDE)
    assert len(geohash.text(score)) == 11


@pytest.mark.parametrize("score", [-1.0, -(2.0**63), -1e300, 2.0**63, 2.0**64, 1e300, math.inf, -math.inf, 0.5, -0.0])
def test_any_score_has_some_place(score: float) -> None:
    assert geohash.is_place(geohash.longitude_of(score), geohash.latitude_of(score))
    assert len(geohash.text(score)) == 11


def test_scores_as_64_bits() -> None:
    assert geohash.bits_of(-1.0) == 2**64 - 1
    assert geohash.bits_of(-(2.0**63)) == 2**63
    assert geohash.bits_of(2.0**63) == 2**63
    assert geohash.bits_of(2.0**64) == 0
    assert geohash.bits_of(-1e300) == 2**63
    assert geohash.bits_of(123.9) == 123


def test_places() -> None:
    assert geohash.is_place(180.0, -85.05112878)
    assert not geohash.is_place(180.1, 0.0)
    assert not geohash.is_place(0.0, 85.0512)
    assert not geohash.is_place(-math.inf, 0.0)


def test_distances() -> None:
    palermo, catania = (13.361389338970184, 38.1155563954963), (15.087267458438873, 37.50266842333162)
    assert geohash.distance(*palermo, *catania) == 166274.15156960033
    assert geohash.distance(*palermo, *palermo) == 0.0
    assert geohash.distance(0.0, 0.0, 180.0, 0.0) == pytest.approx(
        math.pi * geohash.Circle(0, 0, 6372797.560856, 1).radius_m
    )
    assert geohash.latitude_distance(10.0, -10.0) == geohash.distance(5.0, 10.0, 5.0, -10.0)


def covers(area: Area, longitude: float, latitude: float) -> None:
    """If the place is within the area, a range holds its score."""
    score = geohash.encode(longitude, latitude)
    if area.distance_to(score) >= 0:
        assert any(low <= score < high for low, high in area.ranges())


@given(LONGITUDES, st.floats(-80, 80), st.floats(1, 2_000_000), st.floats(-1, 1), st.floats(-1, 1))
def test_ranges_cover_circles_and_boxes(
    longitude: float, latitude: float, size: float, east: float, north: float
) -> None:
    near = latitude + north * size / 111_000
    assume(abs(near) < 85)
    there = longitude + east * size / 111_000 / math.cos(math.radians(latitude))
    assume(abs(there) < 180)
    # The cells do not go round the date line.
    assume(abs(longitude) + size / 111_000 / math.cos(math.radians(min(89, abs(latitude) + size / 111_000))) < 180)
    covers(Circle(longitude, latitude, size, 1.0), there, near)
    covers(Box(longitude, latitude, size, size / 2, 1.0), there, near)


def test_ranges_cover_polygons() -> None:
    rng = random.Random(5)
    for _ in range(300):
        middle = rng.uniform(-150, 150), rng.uniform(-60, 60)
        spread = rng.choice([0.01, 1.0, 20.0])
        corners = [
            (middle[0] + rng.uniform(-spread, spread), middle[1] + rng.uniform(-spread, spread)) for _ in range(5)
        ]
        area = Polygon(corners)
        for _ in range(20):
            covers(area, middle[0] + rng.uniform(-spread, spread), middle[1] + rng.uniform(-spread, spread))


def test_polygons() -> None:
    square = Polygon([(10.0, 10.0), (20.0, 10.0), (20.0, 20.0), (10.0, 20.0)])
    assert square.distance_to(geohash.encode(12.0, 18.0)) > 0
    assert square.distance_to(geohash.encode(20.1, 15.0)) == -1
    assert square.distance_to(geohash.encode(15.0, 9.9)) == -1
    notched = Polygon([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 1.0), (0.0, 10.0)])
    assert notched.distance_to(geohash.encode(5.0, 5.0)) == -1
    assert notched.distance_to(geohash.encode(1.0, 5.0)) > 0
    polar = Polygon([(longitude, 80.0) for longitude in (-135.0, -45.0, 45.0, 135.0)])
    assert polar.latitude == pytest.approx(90)
    assert len(polar.ranges()) > 1


@pytest.mark.parametrize(
    "area", [Area(10.0, 10.0), Circle(10.0, 10.0, math.inf, 1.0), Box(1.0, 1.0, 1e9, 1e300, 1000.0)]
)
def test_ranges_of_the_whole_globe(area: Area) -> None:
    rng = random.Random(7)
    ranges = area.ranges()
    for _ in range(100):
        score = geohash.encode(rng.uniform(-180, 179.9), rng.uniform(-85, 85))
        assert area.distance_to(score) >= 0
        assert any(low <= score < high for low, high in ranges)


def test_a_point_is_one_finest_cell_and_its_neighbours() -> None:
    area = Circle(10.0, 20.0, 0.0, 1.0)
    score = geohash.encode(10.0, 20.0)
    ranges = area.ranges()
    assert ranges[0] == (score, score + 1)
    assert len(ranges) <= 9
