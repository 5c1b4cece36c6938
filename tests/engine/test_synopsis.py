"""The synopsis language: what it reads, and the arity and key positions that follow."""

from __future__ import annotations

import pytest

from alcove.engine.synopsis import (
    Argument,
    Index,
    KeyNum,
    KeySpec,
    Keyword,
    Range,
    SynopsisError,
    are_movable,
    arity_of,
    joined,
    key_specs,
    parse,
    positions,
    usage,
)


def drawn(argument: Argument) -> str:
    """An argument tree as one line: `key:key`, `NX:pure-token`, `LIMIT{...}`; `?` optional, `+` multiple."""
    inner = ", ".join(drawn(part) for part in argument.arguments)
    name = "" if argument.arguments or argument.type == "pure-token" else argument.name
    body = {"oneof": f"({inner})", "block": f"{{{inner}}}", "pure-token": ""}.get(argument.type, f":{argument.type}")
    marks = "?" * argument.optional + "+" * argument.multiple + "T" * argument.multiple_token
    token = f"{argument.token} " if argument.token and body else argument.token
    return f"{token}{name}{body}{marks}"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", ""),
        ("key", "key:key"),
        ("key value [NX | XX] [GET]", "key:key value:string (NX, XX)? GET?"),
        ("key [field [field ...]]", "key:key field:string?+"),
        ("key score member [score member ...]", "key:key {score:double, member:string}+"),
        ("key [LIMIT offset count]", "key:key LIMIT {offset:integer, count:integer}?"),
        ("key [COUNT count [ANY]]", "key:key {COUNT count:integer, ANY?}?"),
        ("[EX seconds | PX milliseconds | PERSIST]", "(EX seconds:integer, PX milliseconds:integer, PERSIST)?"),
        ("key [GET pattern [GET pattern ...]]", "key:key GET pattern:pattern?+T"),
        ("STREAMS key [key ...] id [id ...]", "STREAMS {key:key+, id:string+}"),
        ("<MAXLEN | MINID> [= | ~] threshold", "(MAXLEN, MINID) (=, ~)? threshold:string"),
        ('host port <key | "">', 'host:string port:integer (key:key, "")'),
        ("[OVERFLOW <WRAP | SAT>] value", "OVERFLOW (WRAP, SAT)? value:string"),
        ("[GET encoding | SET value [GET encoding | SET value ...]]", "(GET encoding:string, SET value:string)?+"),
        ("<host port | NO ONE>", "({host:string, port:integer}, {NO, ONE})"),
        ("GROUP group consumer [NOACK]", "GROUP {group:string, consumer:string} NOACK?"),
        ("FIELDS numfields field value [field value ...]", "FIELDS {numfields:integer, {field:string, value:string}+}"),
        ("<* | id> field value [field value ...]", "(*, id:string) {field:string, value:string}+"),
        ("[protover [AUTH username password]]", "{protover:integer, AUTH {username:string, password:string}?}?"),
    ],
)
def test_reads(text: str, tree: str) -> None:
    assert " ".join(drawn(argument) for argument in parse(text)) == tree


def test_a_name_may_mean_another_type_in_one_command() -> None:
    assert parse("timeout")[0].type == "integer"
    assert parse("timeout", "BLPOP")[0].type == "double"
    assert parse("key", "CLUSTER KEYSLOT")[0].type == "string"


@pytest.mark.parametrize("text", ["[key", "key]", "<key]", "key [field ...]", "a | b [a | c ...]", "[a ...]"])
def test_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(SynopsisError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "arity"),
    [
        ("", 1),
        ("key", 2),
        ("key [value]", -2),
        ("key [key ...]", -2),
        ("[key [key ...]]", -1),
        ("<host port | NO ONE>", 3),
        ("<ON | OFF>", 2),
        ("key <* | id> field value [field value ...]", -5),
        ("key <id | $> [MKSTREAM]", -3),
        ("key <BEFORE | AFTER> pivot element", 5),
        ("<ip | ID client-id>", -2),
        ("<[ID client-id] | [USER username]>", -3),
        ("key FROMLONLAT longitude latitude <M | KM>", 6),
    ],
)
def test_arity(text: str, arity: int) -> None:
    assert arity_of(parse(text)) == arity


def test_arity_counts_the_words_of_the_name() -> None:
    assert arity_of(parse("connection-name"), words=2) == 3


@pytest.mark.parametrize(
    ("text", "specs", "first_last_step"),
    [
        ("message", [], (0, 0, 0)),
        ("key value", [(Index(1), Range(0))], (1, 1, 1)),
        ("key [key ...]", [(Index(1), Range(-1))], (1, -1, 1)),
        ("key [key ...] timeout", [(Index(1), Range(-2))], (1, -2, 1)),
        ("key value [key value ...]", [(Index(1), Range(-1, 2))], (1, -1, 2)),
        ("source destination", [(Index(1), Range(0)), (Index(2), Range(0))], (1, 2, 1)),
        ("destkey [sourcekey [sourcekey ...]]", [(Index(1), Range(0)), (Index(2), Range(-1))], (1, -1, 1)),
        ("<AND | OR> destkey key [key ...]", [(Index(2), Range(0)), (Index(3), Range(-1))], (2, -1, 1)),
        ("key field key", [(Index(1), Range(0)), (Index(3), Range(0))], (1, 1, 1)),
        ("numkeys key [key ...] [COUNT count]", [(Index(1), KeyNum(0, 1))], (0, 0, 0)),
        ("script numkeys [key [key ...]] [arg [arg ...]]", [(Index(2), KeyNum(0, 1))], (0, 0, 0)),
        ("numkeys key value [key value ...] [NX | XX]", [(Index(1), KeyNum(0, 1, 2))], (0, 0, 0)),
        ("destination numkeys key [key ...]", [(Index(1), Range(0)), (Index(2), KeyNum(0, 1))], (1, 1, 1)),
        ("[COUNT count] STREAMS key [key ...] id [id ...]", [(Keyword("STREAMS", 1), Range(-1, 1, 2))], (0, 0, 0)),
        ("key [ASC | DESC] [STORE key]", [(Index(1), Range(0)), (Keyword("STORE", 2), Range(0))], (1, 1, 1)),
        (
            'host <key | ""> [COPY] [KEYS key [key ...]]',
            [(Index(2), Range(0)), (Keyword("KEYS", -2), Range(-1))],
            (2, 2, 1),
        ),
        ("[FORCE] key", [(None, None)], (0, 0, 0)),
        ("key [key ...] [WITHSCORES]", [(None, None)], (0, 0, 0)),
    ],
)
def test_key_positions(text: str, specs: list[tuple[object, object]], first_last_step: tuple[int, int, int]) -> None:
    found = key_specs(parse(text))
    assert [(spec.begin, spec.find) for spec in found] == specs
    assert positions(found) == first_last_step


def test_channels_have_slots_but_are_no_keys() -> None:
    [argument] = parse("shardchannel [shardchannel ...]")
    assert argument.type == "channel"
    assert [(spec.begin, spec.find) for spec in key_specs([argument])] == [(Index(1), Range(-1))]


def test_keys_used_alike_are_joined() -> None:
    def spec(index: int, flags: str) -> KeySpec:
        return KeySpec("key", Index(index), Range(0), tuple(flags.split()))

    assert joined([spec(1, "RO"), spec(2, "RO"), spec(3, "RO")]) == [KeySpec("key", Index(1), Range(2), ("RO",))]
    assert joined([spec(1, "RO"), spec(3, "RO")]) == [spec(1, "RO"), spec(3, "RO")]
    assert joined([spec(1, "RO"), spec(2, "OW")]) == [spec(1, "RO"), spec(2, "OW")]


def test_movable_is_what_a_range_from_a_fixed_place_cannot_say() -> None:
    assert not are_movable(key_specs(parse("key [key ...]")))
    assert not are_movable([])
    for text in ("numkeys key [key ...]", "key [ALPHA] [STORE key]", "[FORCE] key"):
        assert are_movable(key_specs(parse(text)))


def test_usage_is_written_as_in_a_help() -> None:
    text = "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]]"
    assert usage(text) == "(ON|OFF) [REDIRECT <client-id>] [PREFIX <prefix> [PREFIX <prefix> ...]]"
