"""CONFIG GET and SET over a configuration: atomicity, errors, watchers and vetoes."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest

from alcove.engine.config import Config, is_secret
from alcove.engine.config_kinds import HIDDEN, Refused
from alcove.engine.settings import DIRECTIVES, NAMES, Settings
from alcove.errors import CommandError


@pytest.fixture
def config() -> Config:
    return Config()


def refusal(config: Config, *words: bytes, **where: bool) -> str:
    with pytest.raises(CommandError) as error:
        config.set(list(zip(words[::2], words[1::2], strict=True)), **where)
    return error.value.text


def test_values_are_attributes(config: Config) -> None:
    config.set([(b"maxmemory", b"1gb"), (b"SAVE", b"900 1"), (b"slave-priority", b"7")])
    assert config.maxmemory == 1 << 30
    assert config.save == ((900, 1),)
    assert config.replica_priority == 7
    assert config.dir == os.getcwd()


def test_two_configurations_do_not_share_values(config: Config) -> None:
    config.set([(b"hz", b"50")])
    assert (config.hz, Config().hz, Settings.hz.default) == (50, 10, 10)


def test_the_class_gives_the_declaration() -> None:
    assert Config.maxmemory is NAMES[b"maxmemory"]


def test_get_by_name_and_pattern(config: Config) -> None:
    assert config.matching([b"maxmemory-p*", b"hz"]) == {b"hz": b"10", b"maxmemory-policy": b"noeviction"}
    assert list(config.matching([b"slave-p*", b"replica-p*"])) == [b"replica-priority", b"slave-priority"]
    assert config.matching([b"nosuch", b"no[", b"maxmemory-polic\\y"]) == {}
    hidden = {name for name, directive in NAMES.items() if directive.flags & HIDDEN}
    assert NAMES.keys() - config.matching([b"*"]).keys() == hidden == {b"key-load-delay"}
    assert config.matching([b"Key-Load-Delay"]) == {b"Key-Load-Delay": b"0"}


def test_get_answers_in_the_spelling_of_the_question(config: Config) -> None:
    assert list(config.matching([b"MaxMemory", b"maxmemory"])) == [b"MaxMemory"]
    assert list(config.matching([b"MAXMEMORY-P*"])) == [b"maxmemory-policy"]


def test_get_is_sorted(config: Config) -> None:
    names = list(config.matching([b"*"]))
    assert names == sorted(names)


FAILED = "ERR CONFIG SET failed (possibly related to argument '{}') - {}"
UNKNOWN = "ERR Unknown option or number of arguments for CONFIG SET - '{}'"
NO_INTEGER = "argument couldn't be parsed into an integer"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([b"foo", b"1"], UNKNOWN.format("foo")),
        ([b"Foo", b"1", b"maxmemory", b"x"], UNKNOWN.format("Foo")),
        ([b"a\xff\nb", b"1"], UNKNOWN.format("a\udcff\nb")),
        ([b"Databases", b"3"], FAILED.format("Databases", "can't set immutable config")),
        ([b"dir", b"/"], FAILED.format("dir", "can't set protected config")),
        ([b"dir", b"/", b"databases", b"1"], FAILED.format("dir", "can't set protected config")),
        ([b"maxmemory", b"1", b"MAXMEMORY", b"2"], FAILED.format("MAXMEMORY", "duplicate parameter")),
        ([b"maxmemory", b"x"], FAILED.format("maxmemory", "argument must be a memory value")),
        ([b"MAXMEMORY", b"x"], FAILED.format("maxmemory", "argument must be a memory value")),
        ([b"Slave-Priority", b"x"], FAILED.format("slave-priority", NO_INTEGER)),
        ([b"hz", b"x", b"databases", b"1"], FAILED.format("databases", "can't set immutable config")),
    ],
)
def test_errors(config: Config, words: list[bytes], text: str) -> None:
    before = config.matching([b"*"])
    assert refusal(config, *words) == text
    assert config.matching([b"*"]) == before


def test_nothing_is_set_when_one_of_the_pairs_fails(config: Config) -> None:
    before = config.matching([b"*"])
    text = refusal(
        config, b"maxmemory", b"5", b"save", b"1 1", b"client-output-buffer-limit", b"normal 1 1 1", b"hz", b"x"
    )
    assert "'hz'" in text
    assert config.matching([b"*"]) == before


def test_a_directive_and_its_alias_are_no_duplicate_and_the_last_counts(config: Config) -> None:
    config.set([(b"hash-max-listpack-entries", b"1"), (b"hash-max-ziplist-entries", b"2")])
    assert config.hash_max_listpack_entries == 2


@pytest.mark.parametrize(
    ("protection", "local", "allowed"),
    [("no", True, False), ("local", False, False), ("local", True, True), ("yes", False, True)],
)
def test_protected_configs(config: Config, protection: str, local: bool, allowed: bool) -> None:
    config.put(Settings.enable_protected_configs, protection)
    pair = (b"dbfilename", b"other.rdb")
    if allowed:
        config.set([pair], local=local)
        assert config.dbfilename == "other.rdb"
    else:
        assert "can't set protected config" in refusal(config, *pair, local=local)


def test_some_directives_wait_until_the_data_is_loaded(config: Config) -> None:
    assert refusal(config, b"appendonly", b"yes", loading=True).startswith("LOADING ")
    config.set([(b"hz", b"20")], loading=True)
    assert config.hz == 20


def test_watchers_hear_of_changes_only_and_once_for_each_set(config: Config) -> None:
    heard: list[tuple[int, int]] = []
    config.watch("maxmemory lua-time-limit", lambda: heard.append((config.maxmemory, config.busy_reply_threshold)))
    config.set([(b"maxmemory", b"0"), (b"hz", b"20")])
    assert heard == []
    config.set([(b"maxmemory", b"7"), (b"busy-reply-threshold", b"8")])
    assert heard == [(7, 8)]


def test_a_callback_that_watches_twice_is_called_once(config: Config) -> None:
    heard: list[int] = []

    def callback() -> None:
        heard.append(config.hz)

    config.watch("hz", callback)
    config.watch("maxmemory", callback)
    config.set([(b"maxmemory", b"7"), (b"hz", b"8")])
    assert heard == [8]


def test_watching_what_is_no_directive_is_an_error(config: Config) -> None:
    with pytest.raises(KeyError):
        config.watch("hz nosuch", lambda: None)


def test_a_veto_brings_everything_back_and_says_so(config: Config) -> None:
    heard: list[tuple[str, int]] = []

    def veto() -> None:
        heard.append(("port", config.port))
        if config.port == 1:
            raise Refused("Unable to listen on this port. Check server logs.")

    config.watch("hz", lambda: heard.append(("hz", config.hz)))
    config.watch("port bind", veto)
    config.watch("maxmemory", lambda: heard.append(("maxmemory", config.maxmemory)))
    text = refusal(config, b"hz", b"20", b"maxmemory", b"5", b"port", b"1")
    assert text == FAILED.format("port", "Unable to listen on this port. Check server logs.")
    assert (config.hz, config.port, config.maxmemory) == (10, 6379, 0)
    assert heard == [("hz", 20), ("port", 1), ("hz", 10), ("port", 6379)]


def test_a_callback_that_breaks_rolls_back_and_its_error_surfaces(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    config.watch("hz", broken)
    with caplog.at_level(logging.ERROR), pytest.raises(ZeroDivisionError):
        config.set([(b"hz", b"20")])
    assert config.hz == 10
    assert "Failed applying restored configuration" in caplog.text


def test_put_tells_nobody(config: Config) -> None:
    def never() -> None:
        raise AssertionError

    config.watch("replicaof", never)
    config.put(Settings.replicaof, ("host", 6379))
    assert config.matching([b"slaveof"]) == {b"slaveof": b"host 6379"}


@pytest.mark.parametrize("name", [b"requirepass", b"MasterAuth", b"primaryauth", b"tls-key-file-pass"])
def test_secrets_are_known(name: bytes) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", [b"maxmemory", b"nosuch", b"aclfile"])
def test_other_directives_are_no_secrets(name: bytes) -> None:
    assert not is_secret(name)


def test_every_directive_is_readable_under_its_python_name(config: Config) -> None:
    for directive in DIRECTIVES.values():
        value: Any = getattr(config, directive.attribute)
        assert directive.name in config.matching([directive.name])
        assert value == directive.default or directive is Settings.dir
