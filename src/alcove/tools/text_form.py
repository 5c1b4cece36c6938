"""The readable form of data: a line of JSON for each key, as `alcove dump` writes it and `alcove load` reads it.

    {"db": 0, "key": "k", "type": "hash", "expire_at_ms": 1900000000000, "value": [["field", "value"]]}

A string of the data is a string of JSON if it is UTF-8, and {"base64": "..."} if not. `expire_at_ms`, Unix time in
milliseconds, is left out of a key without a deadline. The value is

| type      | value                                                                                               |
|-----------|-----------------------------------------------------------------------------------------------------|
| string    | the string                                                                                          |
| list, set | [element, ...]                                                                                      |
| hash      | [[field, value], ...], where a field with a deadline has it, as above, for a third                  |
| zset      | [[member, score], ...]; a score is the shortest number that reads back as the same double, or "inf" |
| stream    | {"entries": [[id, [[field, value], ...]], ...], "last_id", "max_deleted_id", "entries_added",       |
|           | "groups": [{"name", "last_id", "entries_read", "consumers": [name, ...],                            |
|           | "pending": [[id, consumer, delivered_at_ms, deliveries], ...]}, ...]}; null is what is not known    |
| any other | {"dump": payload}, what DUMP says of it                                                             |

A library of functions has a line of its own, {"library": code}.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, Final

from alcove.numeric import strtod

_SPECIAL: Final = {"inf": b"inf", "-inf": b"-inf"}


class BadLine(ValueError):
    """A line is not what this form has; the text says why."""


def encode_line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode_line(line: bytes) -> dict[str, Any]:
    """The record of a line. Numbers with a point come as they are spelt, in bytes. Raises `BadLine`."""
    try:
        record = json.loads(line, parse_float=str.encode, parse_constant=str.encode)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"no JSON: {error}") from None
    if not isinstance(record, dict):
        raise BadLine("no JSON object")
    return record


def text(data: bytes) -> Any:
    """A string of the data in JSON."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def data(value: Any) -> bytes:
    """The string of the data that stands in JSON."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise BadLine("half of a surrogate pair is no character") from None
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError):
            raise BadLine("malformed base64") from None
    raise BadLine(f"{json.dumps(value, default=str)[:80]} is no string")


def score_text(score: bytes) -> Any:
    """The score of a reply as a number of JSON."""
    number = strtod(score)
    if number is None:
        raise BadLine(f"{score!r} is no score")
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    # A whole number without a point reads better; beyond these digits the exponent does.
    if number == int(number) and abs(number) < 1e15 and (number or math.copysign(1, number) > 0):
        return int(number)
    return number


def score(value: Any) -> bytes:
    """The score that stands in JSON, as a word of a command."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    raise BadLine(f"{json.dumps(value)[:80]} is no score")


def whole(value: Any) -> bytes:
    """A whole number that stands in JSON and is not negative, as a word of a command."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return b"%d" % value
    raise BadLine(f"{json.dumps(value, default=str)[:80]} is no whole number from 0 on")


def items(value: Any, *sizes: int) -> list[Any]:
    """A list that stands in JSON; with `sizes`, a list of lists that have so many items each."""
    if not isinstance(value, list):
        raise BadLine(f"{json.dumps(value, default=str)[:80]} is no list")
    if sizes:
        for item in value:
            if not isinstance(item, list) or len(item) not in sizes:
                raise BadLine(f"{json.dumps(item, default=str)[:80]} is no list of {' or '.join(map(str, sizes))}")
    return value


def member(record: dict[str, Any], name: str) -> Any:
    """What an object of JSON has by a name that it must have."""
    if not isinstance(record, dict) or name not in record:
        raise BadLine(f'there is no "{name}"')
    return record[name]
