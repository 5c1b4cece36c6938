"""`alcove dump` and `alcove load`: every type there and back, in the process and through the real servers."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import alcove
from alcove.cli import main
from alcove.engine.engine import Engine
from alcove.tools.conversation import Conversation
from alcove.tools.dump import dump
from alcove.tools.load import Outcome, load
from alcove.tools.text_form import BadLine, data, decode_line, encode_line, score, score_text, text
from tests.codec.samples import SAMPLES
from tests.comparison.servers import BINARIES, RealServer

FAR_MS = 4_000_000_000_000
LIBRARY = b"#!lua name=lib\nredis.register_function('f', function() return 'from the file' end)"


def never(why: str) -> None:
    raise AssertionError(why)


def ask(conversation: Conversation, *commands: list[bytes]) -> list[Any]:
    replies = conversation.ask(list(commands))
    assert not [reply for reply in replies if isinstance(reply, Exception)]
    return replies


def fill(conversation: Conversation, newest: bool) -> None:
    """Every sample under its name, some with deadlines, over three databases; without what only new servers have."""
    ask(conversation, [b"FUNCTION", b"LOAD", LIBRARY])
    for place, (name, commands) in enumerate(SAMPLES.items()):
        if not newest and any(command[0].startswith(b"HP") for command in commands):
            continue
        conversation.select(place % 3)
        ask(conversation, *commands, [b"RENAME", b"k", name.encode()])
        if place % 5 == 0:
            ask(conversation, [b"PEXPIREAT", name.encode(), b"%d" % (FAR_MS + place)])


def lines(conversation: Conversation, number: int | None = None) -> list[str]:
    """The dump, in an order that does not depend on how sets are kept."""
    found = []
    for line in dump(conversation, number, never):
        record = json.loads(line)
        if record.get("type") in ("set", "hash"):
            record["value"].sort(key=str)
        found.append(json.dumps(record))
    return sorted(found)


def loaded(conversation: Conversation, content: list[str], replace: bool = False) -> Outcome:
    return load(conversation, [line.encode() for line in content], replace, never)


@pytest.fixture(params=BINARIES)
def real(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    server = RealServer(request.param)
    yield server
    server.stop()


def url_of(server: RealServer) -> str:
    return f"unix://{server.path}"


def test_every_type_there_and_back() -> None:
    with Conversation(Engine()) as source, Conversation(Engine()) as target:
        fill(source, newest=True)
        content = lines(source)
        assert len(content) == len(SAMPLES) + 1
        assert {json.loads(line).get("type") for line in content} == {
            None, "string", "list", "set", "hash", "zset", "stream",
        }  # fmt: skip
        assert loaded(target, content) == Outcome(len(content), 0, 0)
        assert lines(target) == content
        assert ask(target, [b"FCALL", b"f", b"0"]) == [b"from the file"]


def test_through_a_real_server(real: RealServer) -> None:
    with Conversation(Engine()) as source, Conversation(url_of(real)) as target, Conversation(Engine()) as back:
        fill(source, newest=False)
        content = lines(source)
        assert loaded(target, content) == Outcome(len(content), 0, 0)
        assert lines(target) == content
        assert loaded(back, lines(target)) == Outcome(len(content), 0, 0)
        assert lines(back) == content


def test_deadlines_of_fields_are_kept() -> None:
    with Conversation(Engine()) as source, Conversation(Engine()) as target:
        fields = [b"f%d" % number for number in range(2500)]
        ask(source, [b"HSET", b"k", *(word for field in fields for word in (field, b"v"))])
        ask(source, [b"HPEXPIREAT", b"k", b"%d" % FAR_MS, b"FIELDS", b"2000", *fields[500:]])
        loaded(target, lines(source))
        (found,) = ask(target, [b"HPEXPIRETIME", b"k", b"FIELDS", b"2500", *fields])
        assert found == [-1] * 500 + [FAR_MS] * 2000


def test_deadlines_of_fields_are_not_dropped_in_silence(real: RealServer) -> None:
    line = b'{"db":0,"key":"k","type":"hash","value":[["f","v",4000000000000]]}'
    with Conversation(url_of(real)) as target:
        if target.knows(b"HPEXPIRETIME"):
            pytest.skip("this server has them")
        said: list[str] = []
        assert load(target, [line], False, said.append) == Outcome(0, 0, 1)
        assert said[0].startswith("line 1: unknown command")
        assert ask(target, [b"EXISTS", b"k"]) == [0]


def test_pending_entries_that_were_deleted_are_pending_still() -> None:
    """Before the first entry, among them, and behind the last; deleting leaves a trace, trimming none."""
    with Conversation(Engine()) as source, Conversation(Engine()) as target:
        for number in range(1, 7):
            ask(source, [b"XADD", b"k", b"%d-0" % number, b"f", b"v"])
        ask(source, [b"XGROUP", b"CREATE", b"k", b"g", b"0"], [b"XGROUP", b"CREATECONSUMER", b"k", b"g", b"idle"])
        ask(source, [b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"k", b">"])
        for removal in (
            [b"XTRIM", b"k", b"MAXLEN", b"4"],
            [b"XDEL", b"k", b"4-0", b"6-0"],
            [b"XTRIM", b"k", b"MAXLEN", b"0"],
        ):
            ask(source, removal)
            content = lines(source)
            assert loaded(target, content, replace=True).failed == 0
            assert lines(target) == content
            assert len(json.loads(content[0])["value"]["groups"][0]["pending"]) == 6


def test_a_key_that_is_there_is_left_alone_or_replaced() -> None:
    with Conversation(Engine()) as target:
        ask(target, [b"RPUSH", b"k", b"old"])
        content = ['{"db":0,"key":"k","type":"string","value":"new"}', '{"key":"l","type":"list","value":["a"]}']
        assert loaded(target, content) == Outcome(1, 1, 0)
        assert ask(target, [b"TYPE", b"k"]) == [b"list"]
        assert loaded(target, content, replace=True) == Outcome(2, 0, 0)
        assert ask(target, [b"GET", b"k"], [b"LLEN", b"l"]) == [b"new", 1]


def test_of_two_lines_with_one_key_the_second_sees_the_first() -> None:
    with Conversation(Engine()) as target:
        content = [f'{{"key":"k","type":"string","value":"{value}"}}' for value in ("first", "second")]
        assert loaded(target, content) == Outcome(1, 1, 0)
        assert ask(target, [b"GET", b"k"]) == [b"first"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("{}", 'there is no "key"'),
        ('{"key":1}', "1 is no string"),
        ('{"key":"\\ud800"}', "half of a surrogate pair"),
        ('{"key":{"base64":"?"}}', "malformed base64"),
        ('{"key":"k","db":-1}', "-1 is no whole number"),
        ('{"key":"k","type":"list","value":7}', "7 is no list"),
        ('{"key":"k","type":"list","value":[]}', "a key without elements"),
        ('{"key":"k","type":"hash","value":[["f"]]}', '["f"] is no list of 2 or 3'),
        ('{"key":"k","type":"zset","value":[["m","high"]]}', '"high" is no score'),
        ('{"key":"k","type":"zset","value":[["m",true]]}', "true is no score"),
        ('{"key":"k","type":"zset","value":[["m",NaN]]}', "value is not a valid float"),
        ('{"key":"k","type":"string","value":"v","expire_at_ms":1.5}', "is no whole number"),
        ('{"key":"k","type":"stream","value":{"entries":[["x",[]]],"groups":[]}}', "Invalid stream ID"),
        ('{"key":"k","type":"vector","value":{"dump":"x"}}', "payload version or checksum are wrong"),
        ('{"key":"k","db":99,"type":"string","value":"v"}', "database 99: DB index is out of range"),
    ],
)
def test_a_line_that_makes_no_sense_is_told_and_the_others_are_loaded(line: str, why: str) -> None:
    said: list[str] = []
    good = b'{"key":"good","type":"string","value":"v"}'
    with Conversation(Engine()) as target:
        assert load(target, [good, line.encode()], False, said.append) == Outcome(1, 0, 1)
        assert ask(target, [b"EXISTS", b"k", b"good"]) == [1]
    assert len(said) == 1
    assert said[0].startswith("line 2: ")
    assert why in said[0]


@pytest.mark.parametrize("value", [b"", b"plain", "ö€😀".encode(), b"\xff\x00", b"\xed\xa0\x80", b'"\\\n\x00'])
def test_strings_are_text_where_they_can_be(value: bytes) -> None:
    record = decode_line(encode_line({"v": text(value)}))
    assert data(record["v"]) == value
    assert isinstance(record["v"], str) == (value not in (b"\xff\x00", b"\xed\xa0\x80"))


@pytest.mark.parametrize(
    "value", [b"0", b"-0", b"1", b"-1.5", b"0.1", b"1e+22", b"5e-324", b"inf", b"-inf", b"3.0000000000000004"]
)
def test_scores_are_exact(value: bytes) -> None:
    record = decode_line(encode_line({"v": score_text(value)}))
    number = float(score(record["v"]))
    assert (number, str(number)) == (float(value), str(float(value)))


def test_no_constant_of_json_is_a_string() -> None:
    with pytest.raises(BadLine):
        data(decode_line(b'{"v":NaN}')["v"])


# The command line


def run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(list(words))
    out, err = capfd.readouterr()
    return status, out, err


def test_from_folder_to_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first, second, file = str(tmp_path / "first"), str(tmp_path / "second"), str(tmp_path / "all.jsonl")
    with alcove.open(first) as r:
        r.set("greeting", "Hello")
        r.zadd("z", {"a": 1.5})
        engine = r.connection_pool.connection_kwargs["engine"]
        status, _, err = run(capfd, "dump", "--from", str(tmp_path / "nowhere"))
        assert (status, err) == (1, f"alcove dump: {tmp_path / 'nowhere'}: no such file or folder\n")
    engine.close()
    assert run(capfd, "dump", "--from", first, file) == (0, "", "")
    assert run(capfd, "load", file, "--into", second) == (0, "", "2 loaded\n")
    assert run(capfd, "load", file, "--into", second)[0] == 1
    assert sorted(run(capfd, "dump", "--from", second)[1].splitlines()) == sorted(Path(file).read_text().splitlines())
    assert run(capfd, "dump", "--from", second, "-n", "1") == (0, "", "")
    with alcove.open(second, decode_responses=True) as r:
        assert r.get("greeting") == "Hello"
        assert r.zscore("z", "a") == 1.5


def test_dumping_changes_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    with alcove.open(str(folder)) as r:
        r.set("k", "v")
        engine = r.connection_pool.connection_kwargs["engine"]
    engine.close()
    (increment,) = folder.glob("*/*.incr.aof")
    with increment.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSE")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    status, _, err = run(capfd, "dump", "--from", str(folder))
    assert status == 1
    assert "ends within a command" in err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_with_a_snapshot_stays_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = Engine()
    with Conversation(engine) as conversation:
        ask(conversation, [b"SET", b"old", b"1"])
        shutil.copy(snapshot_of(engine, tmp_path / "made"), tmp_path / "dump.rdb")
    (tmp_path / "more.jsonl").write_text('{"key":"new","type":"string","value":"2"}\n')
    assert run(capfd, "load", str(tmp_path / "more.jsonl"), "--into", str(tmp_path))[0] == 0
    assert not (tmp_path / "appendonlydir").exists()
    status, out, _ = run(capfd, "dump", "--from", str(tmp_path / "dump.rdb"))
    assert status == 0
    assert {json.loads(line)["key"] for line in out.splitlines()} == {"old", "new"}


def snapshot_of(engine: Engine, path: Path) -> Path:
    """A snapshot of what an engine holds."""
    from alcove.persistence.recorders import rdb_recorder

    out = io.BytesIO()
    writer = rdb_recorder(engine, out.write, False)
    for database in engine.space.databases:
        for place in range(len(database.table)):
            writer.entry(database.number, database.table.at(place))
    writer.end()
    path.write_bytes(out.getvalue())
    return path


def test_a_server_and_its_databases(real: RealServer, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with Conversation(url_of(real)) as conversation:
        ask(conversation, [b"SET", b"a", b"1"])
        conversation.select(3)
        ask(conversation, [b"SET", b"b", b"2"])
    third = '{"db":3,"key":"b","type":"string","value":"2"}\n'
    assert run(capfd, "dump", "--from", url_of(real))[1] == '{"db":0,"key":"a","type":"string","value":"1"}\n' + third
    assert run(capfd, "dump", "--from", url_of(real) + "?db=3")[1] == third
    assert run(capfd, "dump", "--from", f"unix://{tmp_path}/none")[0] == 1


def test_command_lines_that_make_no_sense(capfd: pytest.CaptureFixture[str]) -> None:
    for words in (["dump", "a", "b"], ["dump", "--from"], ["dump", "--sideways"], ["load"], ["dump", "-n", "x"]):
        assert run(capfd, *words)[0] == 2
    assert run(capfd, "dump", "--from", "ftp://somewhere")[0] == 1
