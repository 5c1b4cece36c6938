"""Places on the globe as 52-bit geohashes: encoding, decoding, distances and the areas of a search.

A geohash divides the globe again and again, by longitude and by latitude in turn, and says in which half a place is.
After 26 steps it has 52 bits, which a double holds exactly: so a place is a score of a sorted set, and a cell of the
coarser grid of any earlier step is a range of scores. A search covers its shape with a cell of the right size and its
neighbours.

Latitudes end at 85.05 degrees as on web maps (EPSG:900913), and distances are those on a sphere (haversine). The
constants and the order of every operation are the real server's, so that results agree to the last bit.
"""

from __future__ import annotations

import math
from typing import Final

LONGITUDE_MAX: Final = 180.0
LATITUDE_MAX: Final = 85.05112878
POLE: Final = 90.0
STEPS: Final = 26

EARTH_RADIUS_M: Final = 6372797.560856
# Half the equator of the Mercator projection.
MERCATOR_MAX_M: Final = 20037726.37
DEGREE: Final = math.pi / 180.0

# Every second bit, pair of bits, ... of 64, from the lowest on; named, so that C knows them as numbers.
ONES: Final = 0x5555555555555555
TWOS: Final = 0x3333333333333333
FOURS: Final = 0x0F0F0F0F0F0F0F0F
EIGHTS: Final = 0x00FF00FF00FF00FF
SIXTEENS: Final = 0x0000FFFF0000FFFF
LOW_HALF: Final = 0x00000000FFFFFFFF

ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"

# A cell and its neighbours, as steps to the east and to the north, in the order in which they are searched.
MIDDLE, NORTH, SOUTH, EAST, WEST = (0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)
CELLS: Final = (MIDDLE, NORTH, SOUTH, EAST, WEST, (1, 1), (-1, 1), (1, -1), (-1, -1))


# Cells of the grid: after `step` steps there are 2**step columns and as many rows


def spread(number: int) -> int:
    """The lowest 32 bits with a zero before each."""
    number &= LOW_HALF
    number = (number | (number << 16)) & SIXTEENS
    number = (number | (number << 8)) & EIGHTS
    number = (number | (number << 4)) & FOURS
    number = (number | (number << 2)) & TWOS
    return (number | (number << 1)) & ONES


def gather(number: int) -> int:
    """Every second bit from the lowest on: undoes `spread`."""
    number &= ONES
    number = (number | (number >> 1)) & TWOS
    number = (number | (number >> 2)) & FOURS
    number = (number | (number >> 4)) & EIGHTS
    number = (number | (number >> 8)) & SIXTEENS
    return (number | (number >> 16)) & LOW_HALF


def cell_of(degrees: float, bound: float, step: int) -> int:
    """The column or row of a coordinate between -bound and bound; that of `bound` itself is one beyond the last."""
    return int((degrees + bound) / (bound + bound) * (1 << step))


def edge(cell: int, bound: float, step: int) -> float:
    """Where a column or row begins, in degrees."""
    return -bound + (cell * 1.0 / (1 << step)) * (bound + bound)


def middle(cell: int, bound: float) -> float:
    """The middle of a column or row of the finest grid, kept within the bounds."""
    degrees = (edge(cell, bound, STEPS) + edge(cell + 1, bound, STEPS)) / 2
    return max(-bound, min(bound, degrees))


# Places


def is_place(longitude: float, latitude: float) -> bool:
    """Whether these are coordinates that a geohash can stand for."""
    return math.fabs(longitude) <= LONGITUDE_MAX and math.fabs(latitude) <= LATITUDE_MAX


def encode(longitude: float, latitude: float) -> float:
    """The geohash of a place, as the score that stands for it."""
    return float(spread(cell_of(latitude, LATITUDE_MAX, STEPS)) | spread(cell_of(longitude, LONGITUDE_MAX, STEPS)) << 1)


def longitude_of(score: float) -> float:
    """The longitude of the middle of the cell that a score stands for."""
    return middle(gather(bits_of(score) >> 1), LONGITUDE_MAX)


def latitude_of(score: float) -> float:
    """The latitude of the middle of the cell that a score stands for."""
    return middle(gather(bits_of(score)), LATITUDE_MAX)


def bits_of(score: float) -> int:
    """A score as 64 bits, as the real server's machine converts it: any score may be asked for a place."""
    if 0 <= score < 9223372036854775808.0:
        return int(score)
    return other_bits_of(score)


def other_bits_of(score: float) -> int:
    """As `bits_of`, for what does not fit 63 bits."""
    if -9223372036854775808.0 <= score < 18446744073709551616.0:
        return int(score) & 0xFFFFFFFFFFFFFFFF
    return 0 if score > 0 else 1 << 63


def text(score: float) -> bytes:
    """The geohash as it is written elsewhere, of latitudes that reach the poles: 11 characters.

    Fifty-two bits fill ten of them; the last is always `0`.
    """
    row = spread(cell_of(latitude_of(score), POLE, STEPS))
    bits = row | spread(cell_of(longitude_of(score), LONGITUDE_MAX, STEPS)) << 1
    digits = [ALPHABET[bits >> (52 - 5 * place) & 31] for place in range(1, 11)]
    return bytes(digits) + ALPHABET[:1]


def distance(longitude1: float, latitude1: float, longitude2: float, latitude2: float) -> float:
    """The distance of two places in metres."""
    v = math.sin((longitude2 * DEGREE - longitude1 * DEGREE) / 2)
    if v == 0.0:
        return latitude_distance(latitude1, latitude2)
    first = latitude1 * DEGREE
    second = latitude2 * DEGREE
    u = math.sin((second - first) / 2)
    # Rounding may carry the root beyond 1 for places opposite each other.
    return 2.0 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(u * u + math.cos(first) * math.cos(second) * v * v)))


def latitude_distance(latitude1: float, latitude2: float) -> float:
    """The distance of two parallels in metres."""
    return EARTH_RADIUS_M * math.fabs(latitude2 * DEGREE - latitude1 * DEGREE)


# Searches


class Area:
    """What is searched: the whole globe, or in the classes below a part of it, around a place in its middle."""

    def __init__(self, longitude: float, latitude: float) -> None:
        self.longitude = longitude
        self.latitude = latitude

    def distance_to(self, score: float) -> float:
        """The distance in metres from the middle to the place that a score stands for, or -1 when it is outside."""
        return distance(self.longitude, self.latitude, longitude_of(score), latitude_of(score))

    def reach_m(self) -> float:
        """How far the area goes from its middle at the most, in metres."""
        return 2 * MERCATOR_MAX_M

    def bounds(self) -> tuple[float, float, float, float]:
        """The least longitude and latitude and the greatest, in degrees, of an area that is not too large for it."""
        return -LONGITUDE_MAX, -LATITUDE_MAX, LONGITUDE_MAX, LATITUDE_MAX

    def ranges(self) -> list[tuple[float, float]]:
        """Ranges of scores that cover the area, each with its end excluded.

        A cell of about the area's size and its eight neighbours, less those that the area does not touch.
        """
        step = self._step()
        bounds = self.bounds() if step > 1 else (0.0, 0.0, 0.0, 0.0)
        west, south, east, north = bounds
        # The middle of a polygon around a pole is beyond the grid.
        latitude = max(-LATITUDE_MAX, min(LATITUDE_MAX, self.latitude))
        column = cell_of(self.longitude, LONGITUDE_MAX, step)
        row = cell_of(latitude, LATITUDE_MAX, step)
        if step > 1 and not covered(column, row, step, bounds):
            step -= 1
            column = cell_of(self.longitude, LONGITUDE_MAX, step)
            row = cell_of(latitude, LATITUDE_MAX, step)
        untouched = set()
        if step > 1:
            if edge(row, LATITUDE_MAX, step) < south:
                untouched.add(SOUTH)
            if edge(row + 1, LATITUDE_MAX, step) > north:
                untouched.add(NORTH)
            if edge(column, LONGITUDE_MAX, step) < west:
                untouched.add(WEST)
            if edge(column + 1, LONGITUDE_MAX, step) > east:
                untouched.add(EAST)
        found: list[tuple[float, float]] = []
        latest = (0.0, 0.0)
        shift = 52 - 2 * step
        for to_east, to_north in CELLS:
            if (to_east, 0) in untouched or (0, to_north) in untouched:
                continue
            bits = spread(beside(row, to_north, step)) | spread(beside(column, to_east, step)) << 1
            scores = (float(bits << shift), float((bits + 1) << shift))
            # On a grid of two columns both neighbours are the same one.
            if len(found) < 2 or scores != latest:
                found.append(scores)
                latest = scores
        return found

    def _step(self) -> int:
        """The step whose cells are about as large as the area; nearer the poles they are narrower in metres."""
        reach = self.reach_m()
        if reach == 0:
            return STEPS
        step = -1
        while reach < MERCATOR_MAX_M:
            reach *= 2
            step += 1
        if math.fabs(self.latitude) > 66:
            step -= 1
            if math.fabs(self.latitude) > 80:
                step -= 1
        return max(1, min(STEPS, step))


class Circle(Area):
    """All within a radius, given in a unit of so many metres."""

    def __init__(self, longitude: float, latitude: float, radius: float, unit_m: float) -> None:
        super().__init__(longitude, latitude)
        self.radius_m = radius * unit_m

    def distance_to(self, score: float) -> float:
        away = distance(self.longitude, self.latitude, longitude_of(score), latitude_of(score))
        return -1.0 if away > self.radius_m else away

    def reach_m(self) -> float:
        return self.radius_m

    def bounds(self) -> tuple[float, float, float, float]:
        return bounds_around(self.longitude, self.latitude, self.radius_m, self.radius_m)


class Box(Area):
    """All within half a height along the meridians, and half a width along the parallel of each place."""

    def __init__(self, longitude: float, latitude: float, width: float, height: float, unit_m: float) -> None:
        super().__init__(longitude, latitude)
        self.width_m = width * unit_m
        self.height_m = height * unit_m
        # Converted last: rounding decides about the step as on the real server.
        self.diagonal_m = math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2)) * unit_m

    def distance_to(self, score: float) -> float:
        longitude, latitude = longitude_of(score), latitude_of(score)
        if latitude_distance(latitude, self.latitude) > self.height_m / 2:
            return -1.0
        if distance(longitude, latitude, self.longitude, latitude) > self.width_m / 2:
            return -1.0
        return distance(self.longitude, self.latitude, longitude, latitude)

    def reach_m(self) -> float:
        return self.diagonal_m

    def bounds(self) -> tuple[float, float, float, float]:
        return bounds_around(self.longitude, self.latitude, self.width_m / 2, self.height_m / 2)


class Polygon(Area):
    """All inside a closed line through three or more places, which does not cross the date line.

    Its middle is that of the corners, taken in space and projected to the surface.
    """

    def __init__(self, corners: list[tuple[float, float]]) -> None:
        x = y = z = 0.0
        for longitude, latitude in corners:
            x += EARTH_RADIUS_M * math.cos(latitude * DEGREE) * math.cos(longitude * DEGREE)
            y += EARTH_RADIUS_M * math.cos(latitude * DEGREE) * math.sin(longitude * DEGREE)
            z += EARTH_RADIUS_M * math.sin(latitude * DEGREE)
        x /= len(corners)
        y /= len(corners)
        z /= len(corners)
        super().__init__(math.atan2(y, x) / DEGREE, math.atan2(z, math.sqrt(x * x + y * y)) / DEGREE)
        self.corners = corners

    def distance_to(self, score: float) -> float:
        longitude, latitude = longitude_of(score), latitude_of(score)
        inside = False
        before_x, before_y = self.corners[len(self.corners) - 1]
        for x, y in self.corners:
            # A ray to the east crosses the side from the corner before to this one.
            if (y > latitude) != (before_y > latitude):
                crossing = (before_x - x) * (latitude - y) / (before_y - y) + x
                inside ^= longitude < crossing
            before_x, before_y = x, y
        return distance(self.longitude, self.latitude, longitude, latitude) if inside else -1.0

    def reach_m(self) -> float:
        west, south, east, north = self.bounds()
        return max(
            distance(self.longitude, self.latitude, longitude, latitude)
            for longitude in (west, east)
            for latitude in (south, north)
        )

    def bounds(self) -> tuple[float, float, float, float]:
        longitudes = [longitude for longitude, _ in self.corners]
        latitudes = [latitude for _, latitude in self.corners]
        return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def bounds_around(
    longitude: float, latitude: float, width_m: float, height_m: float
) -> tuple[float, float, float, float]:
    """The bounds of what reaches so far from a place to either side; meridians are closest on the side of the pole."""
    to_north = height_m / EARTH_RADIUS_M / DEGREE
    side = latitude - to_north if latitude < 0 else latitude + to_north
    to_east = width_m / EARTH_RADIUS_M / math.cos(side * DEGREE) / DEGREE
    return longitude - to_east, latitude - to_north, longitude + to_east, latitude + to_north


def beside(cell: int, steps: int, step: int) -> int:
    """The column or row so many steps further, round the globe; where there is nothing to move, not even that."""
    return (cell + steps) & ((1 << step) - 1) if steps else cell


def covered(column: int, row: int, step: int, bounds: tuple[float, float, float, float]) -> bool:
    """Whether a cell and its neighbours on all sides reach the bounds."""
    west, south, east, north = bounds
    return (
        edge(beside(row, 1, step) + 1, LATITUDE_MAX, step) >= north
        and edge(beside(row, -1, step), LATITUDE_MAX, step) <= south
        and edge(beside(column, 1, step) + 1, LONGITUDE_MAX, step) >= east
        and edge(beside(column, -1, step), LONGITUDE_MAX, step) <= west
    )
