"""The geo commands: places as geohash scores of a sorted set, and searches around a place."""

from __future__ import annotations

from typing import Final, TypeAlias

from alcove.commands.sorted_set import add
from alcove.commands.sorted_set_range import store
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    ANY_WITHOUT_COUNT,
    BOX_NEGATIVE,
    HEIGHT_NOT_A_NUMBER,
    NO_SUCH_PLACE,
    PLACES_TOO_LOW,
    RADIUS_NEGATIVE,
    RADIUS_NOT_A_NUMBER,
    SYNTAX,
    TOO_FEW_VERTICES,
    UNKNOWN_UNIT,
    VERTICES_NOT_A_NUMBER,
    WIDTH_NOT_A_NUMBER,
    CommandError,
    bad_coordinates,
    no_middle,
    no_shape,
    with_and_store,
)
from alcove.numeric import INT64_MIN, parse_bounded, parse_float, parse_int
from alcove.types import geohash
from alcove.types.geohash import Area, Box, Circle, Polygon
from alcove.types.sorted_set import SortedSet
from alcove.values import NULL_ARRAY, Decimal

UNITS_M: Final = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}

# The options of GEOADD, which are ZADD's.
ADD_WORDS: Final = frozenset((b"NX", b"XX", b"CH"))

SEARCH_COST: Final = (
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as "
    "the filter and M is the number of items inside the shape"
)
RADIUS_HISTORY: Final = (
    ("6.2.0", "Added the `ANY` option for `COUNT`."),
    ("7.0.0", "Added support for uppercase unit names."),
)
RADIUS_KEYS: Final = ("RO access", "OW update", "OW update")

# How many members are looked at at once.
STEP: Final = 256

# A member that a search found: its distance from the middle in metres, itself, and its score.
Found: TypeAlias = tuple[float, bytes, float]


# Numbers, as they are read and written here


def coordinates(longitude: bytes, latitude: bytes) -> tuple[float, float]:
    """Two arguments as a place within the bounds."""
    x, y = parse_float(longitude), parse_float(latitude)
    if not geohash.is_place(x, y):
        raise CommandError(bad_coordinates(x, y))
    return x, y


def unit_of(name: bytes) -> float:
    """How many metres a unit has."""
    unit_m = UNITS_M.get(name.upper())
    if unit_m is None:
        raise CommandError(UNKNOWN_UNIT)
    return unit_m


def place_of(score: float) -> list[Decimal]:
    """Longitude and latitude as replies write them: 17 decimals, rounded, without zeros at the end."""
    return [written(geohash.longitude_of(score)), written(geohash.latitude_of(score))]


def written(degrees: float) -> Decimal:
    return Decimal(f"{degrees:.17f}".rstrip("0").rstrip(".").encode())


def written_distance(distance: float) -> bytes:
    """A distance with exactly four decimals."""
    scaled = round(distance * 10000)
    return b"%d.%04d" % divmod(scaled, 10000)


# Places


@command(
    "GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
    flags="write denyoom",
    since="3.2.0",
    complexity="O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    history=(("6.2.0", "Added the `CH`, `NX` and `XX` options."),),
)
def geoadd(ctx: Context, key: bytes, *arguments: bytes) -> object:
    """Adds one or more members to a geospatial index. The key is created if it doesn't exist."""
    at = 0
    while at < len(arguments) and arguments[at].upper() in ADD_WORDS:
        at += 1
    words = list(arguments[:at])
    if (len(arguments) - at) % 3 or {b"NX", b"XX"} <= {word.upper() for word in words}:
        raise CommandError(SYNTAX)
    for place in range(at, len(arguments), 3):
        longitude, latitude = coordinates(arguments[place], arguments[place + 1])
        words += (b"%d" % int(geohash.encode(longitude, latitude)), arguments[place + 2])
    changes = ctx.keys.space.dirty
    reply = add(ctx, key, tuple(words), 0)
    if ctx.keys.space.dirty != changes:
        ctx.record(b"ZADD", key, *words)
    return reply


@command(
    "GEOPOS key [member [member ...]]", flags="readonly", since="3.2.0", complexity="O(1) for each member requested."
)
def geopos(ctx: Context, key: bytes, *members: bytes) -> list[object]:
    """Returns the longitude and latitude of members from a geospatial index."""
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    scores = [None if zset is None else zset.score(member) for member in members]
    return [NULL_ARRAY if score is None else place_of(score) for score in scores]


@command(
    "GEOHASH key [member [member ...]]", flags="readonly", since="3.2.0", complexity="O(1) for each member requested."
)
def geohash_(ctx: Context, key: bytes, *members: bytes) -> list[bytes | None]:
    """Returns members from a geospatial index as geohash strings."""
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    scores = [None if zset is None else zset.score(member) for member in members]
    return [None if score is None else geohash.text(score) for score in scores]


@command("GEODIST key member1 member2 [M | KM | FT | MI]", flags="readonly", since="3.2.0", complexity="O(1)")
def geodist(ctx: Context, key: bytes, member1: bytes, member2: bytes, *unit: bytes) -> bytes | None:
    """Returns the distance between two members of a geospatial index."""
    if len(unit) > 1:
        raise CommandError(SYNTAX)
    unit_m = unit_of(unit[0]) if unit else 1.0
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    if zset is None:
        return None
    first, second = zset.score(member1), zset.score(member2)
    if first is None or second is None:
        return None
    metres = geohash.distance(
        geohash.longitude_of(first),
        geohash.latitude_of(first),
        geohash.longitude_of(second),
        geohash.latitude_of(second),
    )
    return written_distance(metres / unit_m)


# Searches


class Search:
    """What a search is asked for, read word by word, and how it is answered."""

    def __init__(self, zset: SortedSet | None) -> None:
        self.zset = zset
        # Which word said where the middle is, and which the shape; lengths are in the unit given with them.
        self.middle_word = b""
        self.longitude = self.latitude = 0.0
        self.shape_word = b""
        self.radius = self.width = self.height = 0.0
        self.unit_m = 1.0
        self.corners: list[tuple[float, float]] = []
        self.with_distance = self.with_hash = self.with_place = False
        self.count = 0
        self.any = False
        self.order = b""
        self.destination: bytes | None = None
        self.stores_distance = False

    # Reading: each of these says whether `word` is an option of its kind, and then takes what belongs to it

    def read_common(self, word: bytes, words: Arguments) -> bool:
        if word == b"WITHDIST":
            self.with_distance = True
        elif word == b"WITHHASH":
            self.with_hash = True
        elif word == b"WITHCOORD":
            self.with_place = True
        elif word == b"ANY":
            self.any = True
        elif word in (b"ASC", b"DESC"):
            self.order = word
        elif word == b"COUNT" and words:
            self.count = parse_int(words.take())
            if self.count <= 0:
                raise CommandError(PLACES_TOO_LOW)
        else:
            return False
        return True

    def read_middle(self, word: bytes, words: Arguments) -> bool:
        if self.middle_word not in (b"", word) or self.shape_word == b"BYPOLYGON":
            return False
        if word == b"FROMMEMBER" and words:
            self.start_at_member(words.take())
        elif word == b"FROMLONLAT" and len(words) >= 2:
            self.start_at(words.take(), words.take())
        else:
            return False
        self.middle_word = word
        return True

    def read_shape(self, word: bytes, words: Arguments) -> bool:
        if self.shape_word not in (b"", word):
            return False
        if word == b"BYRADIUS" and len(words) >= 2:
            self.take_radius(words.take(), words.take())
        elif word == b"BYBOX" and len(words) >= 3:
            self.take_box(words.take(), words.take(), words.take())
        elif word == b"BYPOLYGON" and len(words) >= 2 and not self.middle_word:
            self.take_polygon(words)
        else:
            return False
        self.shape_word = word
        return True

    def start_at(self, longitude: bytes, latitude: bytes) -> None:
        self.longitude, self.latitude = coordinates(longitude, latitude)

    def start_at_member(self, member: bytes) -> None:
        """Takes a member's place; where there is no sorted set there is nothing to be found from anywhere."""
        if self.zset is not None:
            score = self.zset.score(member)
            if score is None:
                raise CommandError(NO_SUCH_PLACE)
            self.longitude, self.latitude = geohash.longitude_of(score), geohash.latitude_of(score)

    def take_radius(self, radius: bytes, unit: bytes) -> None:
        self.radius = parse_float(radius, RADIUS_NOT_A_NUMBER)
        if self.radius < 0:
            raise CommandError(RADIUS_NEGATIVE)
        self.unit_m = unit_of(unit)

    def take_box(self, width: bytes, height: bytes, unit: bytes) -> None:
        self.width = parse_float(width, WIDTH_NOT_A_NUMBER)
        self.height = parse_float(height, HEIGHT_NOT_A_NUMBER)
        if self.width < 0 or self.height < 0:
            raise CommandError(BOX_NEGATIVE)
        self.unit_m = unit_of(unit)

    def take_polygon(self, words: Arguments) -> None:
        number = parse_bounded(words.take(), -(2**31), 2**31 - 1, VERTICES_NOT_A_NUMBER)
        if number < 3 or number > len(words) // 2:
            raise CommandError(TOO_FEW_VERTICES)
        self.corners = [coordinates(words.take(), words.take()) for _ in range(number)]

    def check(self, storer: str) -> None:
        """Refuses options that do not go together."""
        if self.destination is not None and (self.with_distance or self.with_hash or self.with_place):
            raise CommandError(with_and_store(storer))

    def check_shape(self, name: str) -> None:
        if not self.middle_word and not self.corners:
            raise CommandError(no_middle(name))
        if not self.shape_word:
            raise CommandError(no_shape(name))

    # Answering

    def reply(self, ctx: Context, event: bytes) -> object:
        """Searches, and answers what is found or stores it."""
        if self.any and not self.count:
            raise CommandError(ANY_WITHOUT_COUNT)
        found = [] if self.zset is None else self.find(self.zset)
        if self.destination is None:
            return [self.shown(one) for one in found]
        pairs = [
            (member, distance / self.unit_m if self.stores_distance else score) for distance, member, score in found
        ]
        return store(ctx, self.destination, pairs, event)

    def find(self, zset: SortedSet) -> list[Found]:
        """What is found, in order and cut to the count."""
        found = self.collect(zset, self.count if self.any else 0)
        if self.order or (self.count and not self.any):
            found.sort(key=nearness, reverse=self.order == b"DESC")
        return found[: self.count] if self.count else found

    def collect(self, zset: SortedSet, limit: int) -> list[Found]:
        """All members in the area, or the first that come up, if there is a limit."""
        area = self.area()
        found: list[Found] = []
        for low, high in area.ranges():
            start, stop = zset.count_below(low, False), zset.count_below(high, False)
            while start < stop:
                for member, score in zset.pairs(start, min(start + STEP, stop)):
                    distance = area.distance_to(score)
                    if distance >= 0:
                        found.append((distance, member, score))
                        if len(found) == limit:
                            return found
                start += STEP
        return found

    def area(self) -> Area:
        if self.corners:
            return Polygon(self.corners)
        if self.shape_word == b"BYBOX":
            return Box(self.longitude, self.latitude, self.width, self.height, self.unit_m)
        return Circle(self.longitude, self.latitude, self.radius, self.unit_m)

    def shown(self, found: Found) -> object:
        """A member, alone or in a list with what was asked for."""
        distance, member, score = found
        if not (self.with_distance or self.with_hash or self.with_place):
            return member
        shown: list[object] = [member]
        if self.with_distance:
            shown.append(written_distance(distance / self.unit_m))
        if self.with_hash:
            shown.append(whole(score))
        if self.with_place:
            shown.append(place_of(score))
        return shown


def nearness(found: Found) -> float:
    return found[0]


def whole(score: float) -> int:
    """A score as a 64-bit integer, as C has it."""
    return int(score) if -9223372036854775808.0 <= score < 9223372036854775808.0 else INT64_MIN


@command(
    "GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | "
    "BYBOX width height <M | KM | FT | MI> | BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> "
    "[ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    flags="readonly",
    since="6.2.0",
    complexity=SEARCH_COST,
    history=(
        ("7.0.0", "Added support for uppercase unit names."),
        ("9.0.0", "Added the `BYPOLYGON` option."),
    ),
)
def geosearch(ctx: Context, key: bytes, *options: bytes) -> object:
    """Queries a geospatial index for members inside an area of a box, a circle or a polygon."""
    search = Search(ctx.keys.read(key, SortedSet))
    words = Arguments(options)
    while words:
        word = words.word()
        if not (search.read_common(word, words) or search.read_middle(word, words) or search.read_shape(word, words)):
            raise CommandError(SYNTAX)
    search.check_shape("GEOSEARCH")
    return search.reply(ctx, b"")


@command(
    "GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude> "
    "<BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI> | "
    "BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
    flags="write denyoom",
    since="6.2.0",
    complexity=SEARCH_COST,
    history=(
        ("7.0.0", "Added support for uppercase unit names."),
        ("9.0.0", "Added the `BYPOLYGON` option."),
    ),
)
def geosearchstore(ctx: Context, destination: bytes, source: bytes, *options: bytes) -> object:
    """Queries a geospatial index for members inside an area of a box, a circle or a polygon, and stores the result."""
    search = Search(ctx.keys.read(source, SortedSet))
    search.destination = destination
    words = Arguments(options)
    while words:
        word = words.word()
        if word == b"STOREDIST":
            search.stores_distance = True
        elif not (search.read_common(word, words) or search.read_middle(word, words) or search.read_shape(word, words)):
            raise CommandError(SYNTAX)
    search.check("GEOSEARCHSTORE")
    search.check_shape("GEOSEARCHSTORE")
    return search.reply(ctx, b"geosearchstore")


# The older searches, which name the destination of what they find among their options


@command(
    "GEORADIUS key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
    flags="write denyoom",
    keys=RADIUS_KEYS,
    since="3.2.0",
    complexity=SEARCH_COST,
    deprecated=("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
    history=RADIUS_HISTORY,
)
def georadius(
    ctx: Context, key: bytes, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> object:
    """Queries a geospatial index for members within a distance from a coordinate, optionally stores the result."""
    search = around_place(ctx, key, longitude, latitude, radius, unit)
    return finish_radius(ctx, search, options, read_only=False)


@command(
    "GEORADIUS_RO key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[COUNT count [ANY]] [ASC | DESC]",
    flags="readonly",
    since="3.2.10",
    complexity=SEARCH_COST,
    deprecated=("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"),
    history=RADIUS_HISTORY,
)
def georadius_ro(
    ctx: Context, key: bytes, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> object:
    """Returns members from a geospatial index that are within a distance from a coordinate."""
    search = around_place(ctx, key, longitude, latitude, radius, unit)
    return finish_radius(ctx, search, options, read_only=True)


@command(
    "GEORADIUSBYMEMBER key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
    flags="write denyoom",
    keys=RADIUS_KEYS,
    since="3.2.0",
    complexity=SEARCH_COST,
    deprecated=("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    history=RADIUS_HISTORY,
)
def georadiusbymember(ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes) -> object:
    """Queries a geospatial index for members within a distance from a member, optionally stores the result."""
    return finish_radius(ctx, around_member(ctx, key, member, radius, unit), options, read_only=False)


@command(
    "GEORADIUSBYMEMBER_RO key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
    "[COUNT count [ANY]] [ASC | DESC]",
    flags="readonly",
    since="3.2.10",
    complexity=SEARCH_COST,
    deprecated=("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    history=RADIUS_HISTORY,
)
def georadiusbymember_ro(
    ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes
) -> object:
    """Returns members from a geospatial index that are within a distance from a member."""
    return finish_radius(ctx, around_member(ctx, key, member, radius, unit), options, read_only=True)


def around_place(ctx: Context, key: bytes, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes) -> Search:
    search = Search(ctx.keys.read(key, SortedSet))
    search.start_at(longitude, latitude)
    search.take_radius(radius, unit)
    return search


def around_member(ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes) -> Search:
    """As `around_place`; without a sorted set the real server does not even look at the radius."""
    search = Search(ctx.keys.read(key, SortedSet))
    if search.zset is not None:
        search.start_at_member(member)
        search.take_radius(radius, unit)
    return search


def finish_radius(ctx: Context, search: Search, options: tuple[bytes, ...], read_only: bool) -> object:
    """Reads the options, and answers."""
    words = Arguments(options)
    while words:
        word = words.word()
        if word in (b"STORE", b"STOREDIST") and words and not read_only:
            search.destination = words.take()
            search.stores_distance = word == b"STOREDIST"
        elif not search.read_common(word, words):
            raise CommandError(SYNTAX)
    search.check("STORE option in GEORADIUS")
    return search.reply(ctx, b"georadiusstore")
