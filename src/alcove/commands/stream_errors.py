"""The error texts of the stream commands."""

from __future__ import annotations

from typing import Final

from alcove.errors import shown

# IDs and ranges
INVALID_ID: Final = "ERR Invalid stream ID specified as stream command argument"
INVALID_START: Final = "ERR invalid start ID for the interval"
INVALID_END: Final = "ERR invalid end ID for the interval"
NUMIDS_NOT_POSITIVE: Final = "ERR Number of IDs must be a positive integer"
NUMIDS_MISMATCH: Final = "ERR The `numids` parameter must match the number of arguments"

# Adding and trimming
ID_IS_ZERO: Final = "ERR The ID specified in XADD must be greater than 0-0"
ID_TOO_LOW: Final = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
NO_ID_LEFT: Final = "ERR The stream has exhausted the last possible ID, unable to add more items"
ENTRY_TOO_LARGE: Final = "ERR Elements are too large to be stored"
MAXLEN_AND_MINID: Final = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
NEGATIVE_MAXLEN: Final = "ERR The MAXLEN argument must be >= 0."
NEGATIVE_LIMIT: Final = "ERR The LIMIT argument must be >= 0."
LIMIT_WITHOUT_TRIMMING: Final = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
LIMIT_WITHOUT_TILDE: Final = "ERR syntax error, LIMIT cannot be used without the special ~ option"
XTRIM_WITHOUT_TRIMMING: Final = "ERR syntax error, XTRIM must be called with a trimming strategy"

# XSETID
NEGATIVE_ENTRIES_ADDED: Final = "ERR entries_added must be positive"
ABOVE_NEW_LAST_ID: Final = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
BELOW_MAX_DELETED: Final = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
BELOW_TOP: Final = "ERR The ID specified in XSETID is smaller than the target stream top item"
FEWER_THAN_PRESENT: Final = "ERR The entries_added specified in XSETID is smaller than the target stream length"

# Reading
GROUP_IS_MISSING: Final = "ERR Missing GROUP option for XREADGROUP"
NEW_WITHOUT_GROUP: Final = (
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
)
MIN_IDLE_NOT_INTEGER: Final = "ERR min-idle-time is not an integer"
MIN_IDLE_NEGATIVE: Final = "ERR min-idle-time must be a positive integer"

# Groups
STREAM_IS_MISSING: Final = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."
)
GROUP_EXISTS: Final = "BUSYGROUP Consumer Group name already exists"
BAD_ENTRIES_READ: Final = "ERR value for ENTRIESREAD must be positive or -1"
COUNT_NOT_POSITIVE: Final = "ERR COUNT must be > 0"


def only_xreadgroup(option: str) -> str:
    return f"ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."


def unbalanced_streams(command: str, ids: str) -> str:
    return f"ERR Unbalanced '{command}' list of streams: for each stream key an {ids} must be specified."


def meaningless_id(stream_id: str) -> str:
    return (
        f"ERR The {stream_id} ID is meaningless in the context of XREADGROUP: you want to read the history of this "
        "consumer by specifying a proper ID, or use the > ID to get new messages. "
        f"The {stream_id} ID would just return an empty result set."
    )


def no_group_to_read(key: bytes, group: bytes) -> str:
    return f"NOGROUP No such key '{shown(key)}' or consumer group '{shown(group)}' in XREADGROUP with GROUP option"


def no_group(key: bytes, group: bytes) -> str:
    return f"NOGROUP No such key '{shown(key)}' or consumer group '{shown(group)}'"


def no_group_of_key(key: bytes, group: bytes) -> str:
    return f"NOGROUP No such consumer group '{shown(group)}' for key name '{shown(key)}'"


def wrong_subcommand(container: str, subcommand: str) -> str:
    return f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP."


def bad_min_idle(command: str) -> str:
    return f"ERR Invalid min-idle-time argument for {command}"


def bad_claim_option(option: str) -> str:
    return f"ERR Invalid {option} option argument for XCLAIM"


def unknown_claim_option(option: bytes) -> str:
    return f"ERR Unrecognized XCLAIM option '{shown(option)}'"
