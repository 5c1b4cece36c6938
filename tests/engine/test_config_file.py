"""redis.conf: files, includes, the command line, options from Python, and CONFIG REWRITE."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from alcove.engine.conf_file import BAD_DIRECTIVE, ConfError, Reader, load_arguments, load_file, load_options, rewrite
from alcove.engine.config import Config
from alcove.engine.config_kinds import Refused


def read(text: bytes, **handlers: Any) -> Config:
    config = Config()
    Reader(config, {name.replace("_", "-").encode(): handler for name, handler in handlers.items()}).text(text, "test")
    return config


def told(text: bytes) -> tuple[int, str, str]:
    with pytest.raises(ConfError) as error:
        read(text)
    return error.value.line, error.value.text, error.value.reason


def arguments(*words: str, stdin: bytes = b"") -> Config:
    config = Config()
    load_arguments(config, words, stdin=io.BytesIO(stdin))
    return config


def test_lines_comments_and_quotes() -> None:
    config = read(b'# a comment\n\n\0hz 9\n  MaxMemory 1gb\r\n\tlogfile "a \\"b\\".log"\nrequirepass \'#x y\'\nhz 5')
    assert (config.maxmemory, config.logfile, config.requirepass, config.hz) == (1 << 30, 'a "b".log', b"#x y", 5)


def test_the_last_line_on_a_directive_counts_under_whichever_name() -> None:
    assert read(b"slave-priority 5\nreplica-priority 6\nslave-priority 7").replica_priority == 7


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (b"hz 5", ((3600, 1), (300, 100), (60, 10000))),
        (b"save 900 1", ((900, 1),)),
        (b"save 900 1\nsave 300 10", ((900, 1), (300, 10))),
        (b"save 900 1 300 10", ((900, 1), (300, 10))),
        (b'save "900 1 300 10"', ((900, 1), (300, 10))),
        (b'save 900 1\nsave ""', ()),
        (b'save ""\nsave 900 1', ((900, 1),)),
        (b"save", ()),
    ],
)
def test_save_lines_add_up(text: bytes, points: tuple[tuple[int, int], ...]) -> None:
    assert read(text).save == points


def test_lines_of_output_buffer_limits_add_up() -> None:
    limits = read(b"client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit replica 1mb 2mb 3")
    assert limits.matching([b"client-output*"])[b"client-output-buffer-limit"] == (
        b"normal 1 2 3 slave 1048576 2097152 3 pubsub 33554432 8388608 60"
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"\n\nfoo bar", (3, "foo bar", BAD_DIRECTIVE)),
        (b"maxmemory 1 2", (1, "maxmemory 1 2", "wrong number of arguments")),
        (b"maxmemory", (1, "maxmemory", "wrong number of arguments")),
        (b"  maxmemory abc \r\n", (1, "maxmemory abc", "argument must be a memory value")),
        (b'hz 5\nmaxmemory "1gb', (2, 'maxmemory "1gb', "Unbalanced quotes in configuration line")),
        (b'bind "a\'"', (1, 'bind "a\'"', "Unbalanced quotes in configuration line")),
        (b"list-max-ziplist-entries 3 4", (1, "list-max-ziplist-entries 3 4", BAD_DIRECTIVE)),
        (b"sentinel monitor x", (1, "sentinel monitor x", "sentinel directive while not in sentinel mode")),
        (b"loadmodule a.so", (1, "loadmodule a.so", "loadmodule is not supported: Alcove loads no modules")),
        (b"user bob on", (1, "user bob on", "user is not supported here")),
        (b"rename-command get", (1, "rename-command get", BAD_DIRECTIVE)),
        (b"user", (1, "user", BAD_DIRECTIVE)),
        (b'""', (1, '""', BAD_DIRECTIVE)),
        (b"hz \xff", (1, "hz \udcff", "argument couldn't be parsed into an integer")),
        (b"replicaof a", (1, "replicaof a", "wrong number of arguments")),
    ],
)  # fmt: skip
def test_errors_say_where_and_why(text: bytes, error: tuple[int, str, str]) -> None:
    assert told(text) == error


def test_the_report_has_the_form_of_the_real_server() -> None:
    assert str(ConfError("/etc/x.conf", 3, "foo bar", "Bad directive")) == (
        "*** FATAL CONFIG FILE ERROR (Alcove) ***\n"
        "Reading the configuration file, at line 3 of /etc/x.conf\n"
        ">>> 'foo bar'\n"
        "Bad directive"
    )
    assert str(ConfError("", 0, "", "Why")) == "*** FATAL CONFIG FILE ERROR (Alcove) ***\nWhy"


def test_directives_that_mean_nothing_here_are_passed_over() -> None:
    read(b"list-max-ziplist-entries 3\nio-threads-do-reads yes\nlookahead 16")


def test_handlers_get_the_words_and_their_refusals_a_place() -> None:
    seen: list[list[bytes]] = []

    def user(words: list[bytes]) -> None:
        if words[0] == b"eve":
            raise Refused("Error in user declaration 'eve': no")
        seen.append(words)

    config = Config()
    reader = Reader(config, {b"user": user, b"rename-command": seen.append})
    reader.text(b'USER bob on ">a b"\nrename-command GET ""', "test")
    assert seen == [[b"bob", b"on", b">a b"], [b"GET", b""]]
    with pytest.raises(ConfError) as error:
        reader.text(b"\nuser eve", "test")
    assert (error.value.line, error.value.reason) == (2, "Error in user declaration 'eve': no")


def test_include(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "2.conf").write_text("hz 2\nmaxmemory 2")
    (tmp_path / "conf.d" / "1.conf").write_text("hz 1\nmaxmemory 1\nmaxclients 1")
    (tmp_path / "main.conf").write_text(f"dir {tmp_path}\ninclude conf.d/*.conf\nmaxmemory 9\ninclude none*\n")
    config = Config()
    load_file(config, str(tmp_path / "main.conf"))
    assert (config.hz, config.maxmemory, config.maxclients) == (2, 9, 1)
    assert config.file == str(tmp_path / "main.conf")


def test_an_error_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "inner.conf").write_text("hz 2\nhz x")
    (tmp_path / "main.conf").write_text(f"\n\n\ninclude {tmp_path}/inner.conf")
    with pytest.raises(ConfError) as error:
        load_file(Config(), str(tmp_path / "main.conf"))
    assert (error.value.file, error.value.line) == (str(tmp_path / "inner.conf"), 2)


def test_missing_files(tmp_path: Path) -> None:
    path = str(tmp_path / "none.conf")
    reason = f"Fatal error, can't open config file '{path}': No such file or directory"
    with pytest.raises(ConfError) as error:
        load_file(Config(), path)
    assert (error.value.line, error.value.reason) == (0, reason)
    assert told(b"hz 5\ninclude " + path.encode()) == (2, f"include {path}", reason)


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "main.conf"
    path.write_text(f"include {path}")
    with pytest.raises(ConfError, match="does one include itself"):
        load_file(Config(), str(path))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--port", "7000", "--save", "", "--appendonly", "yes"], {"port": 7000, "save": (), "appendonly": True}),
        (["--save", "900", "1", "300", "10", "--hz", "5"], {"save": ((900, 1), (300, 10)), "hz": 5}),
        (["--save", "900 1 300 10"], {"save": ((900, 1), (300, 10))}),
        (["--save"], {"save": ()}),
        (["--SAVE", "--hz", "5"], {"save": (), "hz": 5}),
        (["--requirepass", "--hz", "--hz", "5"], {"requirepass": b"--hz", "hz": 5}),
        (["--maxmemory 1gb", "--hz", "5"], {"maxmemory": 1 << 30, "hz": 5}),
        (["--requirepass", 'a" b\\'], {"requirepass": b'a" b\\'}),
        (["--maxmemory", "1", "--maxmemory", "2"], {"maxmemory": 2}),
        (["--bind", "a", "b"], {"bind": ("a", "b")}),
        ([], {"port": 6379}),
    ],
)
def test_the_command_line(words: list[str], expected: dict[str, object]) -> None:
    config = arguments(*words)
    assert {name: getattr(config, name) for name in expected} == expected
    assert config.file is None


def test_a_file_then_stdin_then_options(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("hz 1\nmaxmemory 1\nmaxclients 1\nsave 1 1")
    for words in ([str(path), "-", "--hz", "3"], [str(path), "--hz", "3", "-"]):
        config = arguments(*words, stdin=b"hz 2\nmaxmemory 2\nsave 2 2")
        assert (config.hz, config.maxmemory, config.maxclients, config.save) == (3, 2, 1, ((1, 1), (2, 2)))
        assert config.file == str(path)


def test_stdin_alone() -> None:
    config = arguments("-", stdin=b"hz 2")
    assert (config.hz, config.file) == (2, None)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--maxmemory", "abc"], (1, 'maxmemory "abc"', "argument must be a memory value")),
        (["--hz", "5", "--maxmemory"], (2, "maxmemory", "wrong number of arguments")),
        (["--maxmemory", "--save"], (1, 'maxmemory "--save"', "argument must be a memory value")),
        (["--foo", "bar"], (1, 'foo "bar"', BAD_DIRECTIVE)),
        (["-x"], (1, '"-x"', BAD_DIRECTIVE)),
    ],
)
def test_errors_of_the_command_line(words: list[str], error: tuple[int, str, str]) -> None:
    with pytest.raises(ConfError) as raised:
        arguments(*words)
    assert (raised.value.line, raised.value.text, raised.value.reason) == error
    assert "of the command line" in str(raised.value)


def test_options_from_python(tmp_path: Path) -> None:
    config = Config()
    load_options(
        config,
        {
            "maxmemory": "1gb",
            "appendonly": True,
            "hz": 20,
            "save": [(900, 1), (300, 10)],
            "dir": tmp_path,
            "notify-keyspace-events": "KEA",
            "requirepass": b"\xff",
            "latency_tracking_info_percentiles": (50.0, 99.9),
            "bind": ["127.0.0.1", "::1"],
            "unixsocket": None,
        },
    )
    assert (config.maxmemory, config.appendonly, config.hz, config.save) == (1 << 30, True, 20, ((900, 1), (300, 10)))
    assert (config.dir, config.requirepass, config.unixsocket) == (str(tmp_path), b"\xff", "")
    assert (config.latency_tracking_info_percentiles, config.bind) == ((50.0, 99.9), ("127.0.0.1", "::1"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"maxmemory": "x"}, "maxmemory: argument must be a memory value"),
        ({"max_memory": 1}, "max_memory: Bad directive or wrong number of arguments"),
        ({"hz": True}, "hz: argument couldn't be parsed into an integer"),
    ],
)
def test_errors_of_options(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfError) as error:
        load_options(Config(), options)
    assert error.value.reason == reason


def test_an_option_of_an_impossible_type() -> None:
    with pytest.raises(TypeError, match="cannot be a dict"):
        load_options(Config(), {"save": {900: 1}})


def test_a_log_file_that_cannot_be_opened() -> None:
    with pytest.raises(ConfError, match="Can't open the log file: No such file or directory"):
        load_options(Config(), {"logfile": "/nosuch/x.log"})


def test_a_cluster_has_one_database_and_no_master() -> None:
    config = Config()
    load_options(config, {"cluster_enabled": True})
    assert config.databases == 1
    with pytest.raises(ConfError, match="replicaof directive not allowed in cluster mode"):
        load_options(config, {"replicaof": ["host", 6379]})


FILE = b"""# my conf

save 900 1
save 300 10
   # limits
MaxMemory   1gb
client-output-buffer-limit normal 1 1 1
hz 10
slave-priority 50
list-max-ziplist-entries 5
include other*.conf
requirepass "a\\x20b"
hash-max-ziplist-entries 77
hash-max-listpack-entries 78
user bob on nopass ~* +@all
rename-command FLUSHALL ""
maxmemory-policy noeviction
# end
"""


@pytest.fixture
def conf(tmp_path: Path) -> tuple[Config, Path]:
    path = tmp_path / "my.conf"
    path.write_bytes(b"dir %s\n" % str(tmp_path).encode() + FILE)
    config = Config()
    load_arguments(config, [str(path)], {b"user": lambda words: None, b"rename-command": lambda words: None})
    return config, path


def changes(old: bytes, new: bytes) -> tuple[list[bytes], list[bytes]]:
    """Lines that went and lines that came."""
    before, after = old.split(b"\n"), new.split(b"\n")
    return [line for line in before if line not in after], [line for line in after if line not in before]


def test_rewrite_leaves_a_file_that_says_what_is_in_force(conf: tuple[Config, Path]) -> None:
    config, path = conf
    old = path.read_bytes()
    rewrite(config)
    assert path.read_bytes() == old


def test_rewrite_changes_lines_in_place_and_adds_others_at_the_end(conf: tuple[Config, Path]) -> None:
    config, path = conf
    old = path.read_bytes()
    config.set(
        [
            (b"save", b"60 5"),
            (b"maxmemory", b"2048"),
            (b"replica-priority", b"100"),
            (b"requirepass", b""),
            (b"hash-max-listpack-entries", b"512"),
            (b"client-output-buffer-limit", b"pubsub 1gb 5 5"),
            (b"masterauth", b'a"b c'),
            (b"maxmemory-clients", b"5%"),
        ]
    )
    rewrite(config)
    new = path.read_bytes()
    assert changes(old, new) == (
        [
            b"save 900 1",
            b"save 300 10",
            b"MaxMemory   1gb",
            b"slave-priority 50",
            b'requirepass "a\\x20b"',
            b"hash-max-ziplist-entries 77",
            b"hash-max-listpack-entries 78",
        ],
        [
            b"save 60 5",
            b"maxmemory 2kb",
            b"replica-priority 100",
            b"hash-max-listpack-entries 512",
            b"# Generated by CONFIG REWRITE",
            b"client-output-buffer-limit pubsub 1gb 5 5",
            b"maxmemory-clients 5%",
            b'masterauth "a\\"b c"',
        ],
    )


def test_rewrite_puts_what_it_adds_under_one_comment(conf: tuple[Config, Path]) -> None:
    config, path = conf
    config.set([(b"lfu-log-factor", b"3")])
    rewrite(config)
    config.set([(b"lfu-log-factor", b"4"), (b"lfu-decay-time", b"5")])
    rewrite(config)
    added = path.read_bytes().partition(b"\n\n# Generated by CONFIG REWRITE\n")[2]
    assert added == b"lfu-log-factor 4\nlfu-decay-time 5\n"


def test_rewrite_of_users(conf: tuple[Config, Path]) -> None:
    config, path = conf
    old = path.read_bytes()
    rewrite(config, [b"bob off", b"eve on"])
    went, came = changes(old, path.read_bytes())
    assert went == [b"user bob on nopass ~* +@all"]
    assert came == [b"user bob off", b"# Generated by CONFIG REWRITE", b"user eve on"]
    rewrite(config, [])
    assert b"\nuser " not in path.read_bytes()


def test_rewrite_marks_what_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "my.conf"
    path.write_bytes(b'nosuch 5\n  "open\nhz x\nio-threads-do-reads yes\n')
    config = Config()
    config.file = str(path)
    rewrite(config)
    assert path.read_bytes().startswith(b'# ??? nosuch 5\n# ??? "open\nhz 10\nio-threads-do-reads yes\n')


def test_rewrite_makes_the_file_if_it_is_gone(conf: tuple[Config, Path]) -> None:
    config, path = conf
    path.unlink()
    config.set([(b"hz", b"33")])
    rewrite(config)
    again = Config()
    load_file(again, str(path))
    assert again.matching([b"*"]) == config.matching([b"*"])


def test_rewrite_keeps_permissions_and_links(conf: tuple[Config, Path], tmp_path: Path) -> None:
    config, path = conf
    path.chmod(0o640)
    link = tmp_path / "link.conf"
    link.symlink_to(path)
    config.file = str(link)
    config.set([(b"hz", b"33")])
    rewrite(config)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert b"hz 33" in path.read_bytes()
    path.unlink()
    rewrite(config)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_rewrite_that_fails_leaves_the_old_file_alone(
    conf: tuple[Config, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, path = conf
    old = path.read_bytes()
    config.set([(b"hz", b"33")])

    def broken(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="No space left"):
        rewrite(config)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_rewrite_needs_a_file() -> None:
    with pytest.raises(ValueError, match="not read from a file"):
        rewrite(Config())
