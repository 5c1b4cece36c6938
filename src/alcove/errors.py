"""Every error text a client can see, once, and the exception that carries it to the reply.

Texts are those of the real server, code first ("ERR", "WRONGTYPE", ...). A text with a hole is a function of
what fills it. User bytes inside a text travel as surrogate escapes, so that any byte survives.
"""

from __future__ import annotations

from typing import Final


class CommandError(Exception):
    """A command that failed. It is raised by handlers, caught once in `engine.call`, and is itself the reply."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @property
    def code(self) -> str:
        """The first word, by which statistics and clients group errors: `ERR`, `WRONGTYPE`, ..."""
        return self.text.split(" ", 1)[0]

    @property
    def line(self) -> bytes:
        """The text as one protocol line: no CR or LF may come from user bytes."""
        flat = self.text.replace("\r", " ").replace("\n", " ")
        return flat.encode("utf-8", "surrogateescape")


def shown(data: bytes, limit: int = 128) -> str:
    """User bytes as they stand inside an error text, cut to `limit` bytes."""
    return data[:limit].decode("utf-8", "surrogateescape")


# Arguments
SYNTAX: Final = "ERR syntax error"
NOT_AN_INTEGER: Final = "ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = "ERR value is not a valid float"
OUT_OF_RANGE: Final = "ERR value is out of range"
NEGATIVE: Final = "ERR value is out of range, must be positive"
NEITHER_ZERO_NOR_ONE: Final = "ERR value is out of range, value must between 0 and 1"
OVERFLOW: Final = "ERR increment or decrement would overflow"
DECREMENT_OVERFLOW: Final = "ERR decrement would overflow"
NOT_FINITE: Final = "ERR increment would produce NaN or Infinity"
OFFSET_OUT_OF_RANGE: Final = "ERR offset is out of range"
STRING_TOO_LONG: Final = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
INVALID_CURSOR: Final = "ERR invalid cursor"
NOT_A_DB_INDEX: Final = "ERR DB index is out of range"

# CONFIG: reasons that `set_failed` completes, and texts of its own
IMMUTABLE_CONFIG: Final = "can't set immutable config"
PROTECTED_CONFIG: Final = "can't set protected config"
DUPLICATE_PARAMETER: Final = "duplicate parameter"
NO_CONFIG_FILE: Final = "ERR The server is running without a config file"

# COMMAND
INVALID_COMMAND: Final = "ERR Invalid command specified"
NO_KEY_ARGUMENTS: Final = "ERR The command has no key arguments"
INVALID_ARGUMENT_COUNT: Final = "ERR Invalid number of arguments specified for command"
INVALID_ARGUMENTS: Final = "ERR Invalid arguments specified for command"

# Keys
WRONG_TYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_SUCH_KEY: Final = "ERR no such key"
SAME_OBJECT: Final = "ERR source and destination objects are the same"

LCS_WRONG_TYPE: Final = "ERR The specified keys must contain string values"
LCS_TOO_BIG: Final = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
LEN_AND_IDX: Final = "ERR If you want both the length and indexes, please just use IDX."
NUMKEYS_TOO_LOW: Final = "ERR numkeys should be greater than 0"
COUNT_TOO_LOW: Final = "ERR count should be greater than 0"
LIMIT_NEGATIVE: Final = "ERR LIMIT can't be negative"
COUNT_RANGE: Final = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
INVALID_NUMKEYS: Final = "ERR invalid numkeys value"
INVALID_DIGEST: Final = "ERR IFDEQ/IFDNE digest must be exactly 16 hexadecimal characters"

EXPIRE_OPTIONS_NX: Final = "ERR NX and XX, GT or LT options at the same time are not compatible"
EXPIRE_OPTIONS_GT: Final = "ERR GT and LT options at the same time are not compatible"
BUSY_KEY: Final = "BUSYKEY Target key name already exists."
TTL_NEGATIVE: Final = "ERR Invalid TTL value, must be >= 0"
IDLE_TIME_NEGATIVE: Final = "ERR Invalid IDLETIME value, must be >= 0"
FREQUENCY_RANGE: Final = "ERR Invalid FREQ value, must be >= 0 and <= 255"
WRONG_PAYLOAD: Final = "ERR DUMP payload version or checksum are wrong"
BAD_PAYLOAD: Final = "ERR Bad data format"
LFU_SELECTED: Final = (
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
    "policies at runtime LRU and LFU data will take some time to adjust."
)
LFU_NOT_SELECTED: Final = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
    "between policies at runtime LRU and LFU data will take some time to adjust."
)

# Bitmaps and HyperLogLogs
BIT_NOT_AN_INTEGER: Final = "ERR bit is not an integer or out of range"
BIT_OFFSET_NOT_AN_INTEGER: Final = "ERR bit offset is not an integer or out of range"
BIT_NEITHER_0_NOR_1: Final = "ERR The bit argument must be 1 or 0."
INVALID_FIELD_TYPE: Final = (
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
)
INVALID_OVERFLOW: Final = "ERR Invalid OVERFLOW type specified"
FIELDS_READ_ONLY: Final = "ERR BITFIELD_RO only supports the GET subcommand"
NOT_OF_ONE: Final = "ERR BITOP NOT must be called with a single source key."
NOT_A_HYPERLOGLOG: Final = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPT_HYPERLOGLOG: Final = "INVALIDOBJ Corrupted HLL object detected"
NOT_SPARSE: Final = "ERR HLL encoding is not sparse"
NO_SPECIFIED_KEY: Final = "ERR The specified key does not exist"

# SORT
NOT_A_WEIGHT: Final = "ERR One or more scores can't be converted into double"

# Sorted sets and places
NX_AND_XX: Final = "ERR XX and NX options at the same time are not compatible"
GT_LT_AND_NX: Final = "ERR GT, LT, and/or NX options at the same time are not compatible"
INCR_TAKES_ONE: Final = "ERR INCR option supports a single increment-element pair"
SCORE_IS_NAN: Final = "ERR resulting score is not a number (NaN)"
NOT_SCORE_BOUNDS: Final = "ERR min or max is not a float"
NOT_LEX_BOUNDS: Final = "ERR min or max not valid string range item"
LIMIT_WITHOUT_BY: Final = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
WITHSCORES_BY_LEX: Final = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
WEIGHT_NOT_A_FLOAT: Final = "ERR weight value is not a float"
UNKNOWN_UNIT: Final = "ERR unsupported unit provided. please use M, KM, FT, MI"
RADIUS_NOT_A_NUMBER: Final = "ERR need numeric radius"
RADIUS_NEGATIVE: Final = "ERR radius cannot be negative"
WIDTH_NOT_A_NUMBER: Final = "ERR need numeric width"
HEIGHT_NOT_A_NUMBER: Final = "ERR need numeric height"
BOX_NEGATIVE: Final = "ERR height or width cannot be negative"
VERTICES_NOT_A_NUMBER: Final = "ERR invalid number of vertices"
TOO_FEW_VERTICES: Final = "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"
NO_SUCH_PLACE: Final = "ERR could not decode requested zset member"
PLACES_TOO_LOW: Final = "ERR COUNT must be > 0"
ANY_WITHOUT_COUNT: Final = "ERR the ANY argument requires COUNT argument"

# Hashes
HASH_VALUE_NOT_AN_INTEGER: Final = "ERR hash value is not an integer"
HASH_VALUE_NOT_A_FLOAT: Final = "ERR hash value is not a float"
INCREMENT_NOT_FINITE: Final = "ERR value is NaN or Infinity"
FIELD_EXPIRE_NEGATIVE: Final = "ERR invalid expire time, must be >= 0"
FIELD_EXPIRE_MISSING: Final = "ERR missing expire time"
FIELDS_TWICE: Final = "ERR FIELDS keyword specified multiple times"
FIELDS_TOO_SHORT: Final = "ERR FIELDS requires at least numfields and one field argument"
FIELDS_MISSING: Final = "ERR missing FIELDS argument"
FIELDS_POSITION: Final = "ERR Mandatory argument FIELDS is missing or not at the right position"
FIELDS_TOO_FEW: Final = "ERR wrong number of arguments"
FIELDS_MISMATCH: Final = "ERR The `numfields` parameter must match the number of arguments"
# Three kinds of commands, three wordings.
NUMFIELDS_OF_EXPIRE: Final = "ERR Parameter `numFields` should be greater than 0"
NUMFIELDS_OF_TTL: Final = "ERR Number of fields must be a positive integer"
NUMFIELDS_OF_SET: Final = "ERR invalid number of fields"
SEVERAL_CONDITIONS: Final = "ERR Multiple condition flags specified"
ONE_CONDITION: Final = "ERR Only one of FXX or FNX arguments can be specified"
ONE_DEADLINE_OF_GET: Final = "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified"
ONE_DEADLINE_OF_SET: Final = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"

# Lists and sets
INDEX_OUT_OF_RANGE: Final = "ERR index out of range"
RANK_ZERO: Final = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start "
    "from the end of the list"
)
COUNT_NEGATIVE: Final = "ERR COUNT can't be negative"
MAXLEN_NEGATIVE: Final = "ERR MAXLEN can't be negative"
NUMKEYS_TOO_HIGH: Final = "ERR Number of keys can't be greater than number of args"
NOVALUES_OF_HSCAN: Final = "ERR NOVALUES option can only be used in HSCAN"
NOSCORES_OF_ZSCAN: Final = "ERR NOSCORES option can only be used in ZSCAN"

# Streams: IDs and ranges
INVALID_ID: Final = "ERR Invalid stream ID specified as stream command argument"
INVALID_START: Final = "ERR invalid start ID for the interval"
INVALID_END: Final = "ERR invalid end ID for the interval"
NUMIDS_NOT_POSITIVE: Final = "ERR Number of IDs must be a positive integer"
NUMIDS_MISMATCH: Final = "ERR The `numids` parameter must match the number of arguments"

# Streams: adding and trimming
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

# Streams: XSETID
NEGATIVE_ENTRIES_ADDED: Final = "ERR entries_added must be positive"
ABOVE_NEW_LAST_ID: Final = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
BELOW_MAX_DELETED: Final = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
BELOW_TOP: Final = "ERR The ID specified in XSETID is smaller than the target stream top item"
FEWER_THAN_PRESENT: Final = "ERR The entries_added specified in XSETID is smaller than the target stream length"

# Streams: reading
GROUP_IS_MISSING: Final = "ERR Missing GROUP option for XREADGROUP"
NEW_WITHOUT_GROUP: Final = (
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
)
MIN_IDLE_NOT_INTEGER: Final = "ERR min-idle-time is not an integer"
MIN_IDLE_NEGATIVE: Final = "ERR min-idle-time must be a positive integer"

# Streams: groups
STREAM_IS_MISSING: Final = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."
)
GROUP_EXISTS: Final = "BUSYGROUP Consumer Group name already exists"
BAD_ENTRIES_READ: Final = "ERR value for ENTRIESREAD must be positive or -1"
COUNT_NOT_POSITIVE: Final = "ERR COUNT must be > 0"

# Sessions and transactions
NO_AUTH: Final = "NOAUTH Authentication required."
NO_AUTH_HELLO: Final = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
    "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
)
WRONG_PASS: Final = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD_SET: Final = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
NO_PROTO: Final = "NOPROTO unsupported protocol version"
HELLO_PROTO: Final = "ERR Protocol version is not an integer or out of range"
BAD_CLIENT_NAME: Final = "ERR Client names cannot contain spaces, newlines or special characters."
NO_SUCH_CLIENT: Final = "ERR No such client"
CLIENT_ID: Final = "ERR client-id should be greater than 0"
INVALID_CLIENT_ID: Final = "ERR Invalid client ID"
UNBLOCK_REASON: Final = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
ONE_REDIRECT: Final = "ERR A client can only redirect to a single other client"
NO_SUCH_REDIRECT: Final = "ERR The client ID you want redirect to does not exist"
PREFIX_WITHOUT_BCAST: Final = "ERR PREFIX option requires BCAST mode to be enabled"
SWITCHED_BCAST: Final = (
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, "
    "and then re-enabling it with a different mode."
)
OPT_WITH_BCAST: Final = "ERR OPTIN and OPTOUT are not compatible with BCAST"
OPT_IN_AND_OUT: Final = "ERR You can't specify both OPTIN mode and OPTOUT mode"
SWITCHED_OPT: Final = (
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, "
    "and then re-enabling it with a different mode."
)
CACHING_WITHOUT_TRACKING: Final = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
)
CACHING_YES: Final = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
CACHING_NO: Final = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
NESTED_MULTI: Final = "ERR MULTI calls can not be nested"
EXEC_WITHOUT_MULTI: Final = "ERR EXEC without MULTI"
DISCARD_WITHOUT_MULTI: Final = "ERR DISCARD without MULTI"
WATCH_IN_MULTI: Final = "ERR WATCH inside MULTI is not allowed"
EXEC_ABORT: Final = "EXECABORT Transaction discarded because of previous errors."
NOT_IN_MULTI: Final = "ERR Command not allowed inside a transaction"
UNBLOCKED: Final = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
TIMEOUT_NOT_FLOAT: Final = "ERR timeout is not a float or out of range"
TIMEOUT_NEGATIVE: Final = "ERR timeout is negative"
TIMEOUT_OUT_OF_RANGE: Final = "ERR timeout is out of range"
TIMEOUT_NOT_INTEGER: Final = "ERR timeout is not an integer or out of range"

# The protocol
INVALID_MULTIBULK: Final = "ERR Protocol error: invalid multibulk length"
INVALID_BULK: Final = "ERR Protocol error: invalid bulk length"
UNAUTHENTICATED_MULTIBULK: Final = "ERR Protocol error: unauthenticated multibulk length"
UNAUTHENTICATED_BULK: Final = "ERR Protocol error: unauthenticated bulk length"
TOO_BIG_INLINE: Final = "ERR Protocol error: too big inline request"
TOO_BIG_MULTIBULK_COUNT: Final = "ERR Protocol error: too big mbulk count string"
TOO_BIG_BULK_COUNT: Final = "ERR Protocol error: too big bulk count string"
UNBALANCED_QUOTES: Final = "ERR Protocol error: unbalanced quotes in request"
BULK_TOO_LONG: Final = "ERR Protocol error: a bulk is longer than its length"
NESTED_TOO_DEEP: Final = "ERR Protocol error: replies nest too deep"

# Scripts
NO_SCRIPT: Final = "NOSCRIPT No matching script. Please use EVAL."
NEGATIVE_NUMKEYS: Final = "ERR Number of keys can't be negative"
SCRIPT_FLUSH_OPTIONS: Final = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
SCRIPT_DEBUG_OPTIONS: Final = "ERR Use SCRIPT DEBUG YES/SYNC/NO"
NOT_BUSY: Final = "NOTBUSY No scripts in execution right now."
BUSY: Final = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
UNKILLABLE: Final = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    "termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
KILLED: Final = "ERR Script killed by user with SCRIPT KILL."
STOPPED_WITH_SERVER: Final = "ERR The script was stopped with the server."
INVALID_SHEBANG: Final = "ERR Invalid script shebang"
INVALID_SHEBANG_ENGINE: Final = "ERR Invalid engine in script shebang"
WRITES_IN_READ_ONLY_CALL: Final = "ERR Can not execute a script with write flag using *_ro command."
NOT_FROM_SCRIPT: Final = "ERR This Redis command is not allowed from script"
UNKNOWN_IN_SCRIPT: Final = "ERR Unknown Redis command called from script"
ARITY_IN_SCRIPT: Final = "ERR Wrong number of args calling Redis command from script"
NO_ARGUMENTS_IN_SCRIPT: Final = "ERR Please specify at least one argument for this redis lib call"
ARGUMENTS_OF_SCRIPT: Final = "ERR Lua redis lib command arguments must be strings or integers"
READ_ONLY_SCRIPT: Final = "ERR Write commands are not allowed from read-only scripts."
UNKNOWN_FOR_ACL_CHECK: Final = "ERR Invalid command passed to redis.acl_check_cmd()"
NO_MEMORY_IN_SCRIPT: Final = "ERR not enough memory"
SCRIPT_TOO_LARGE: Final = "ERR the script is too large"

# Functions
FUNCTION_NOT_FOUND: Final = "ERR Function not found"
LIBRARY_NOT_FOUND: Final = "ERR Library not found"
BAD_NUMKEYS: Final = "ERR Bad number of keys provided"
METADATA_MISSING: Final = "ERR Missing library metadata"
INVALID_METADATA: Final = "ERR Invalid library metadata"
LIBRARY_NAME_MISSING: Final = "ERR Library name was not given"
LIBRARY_NAME_TWICE: Final = "ERR Invalid metadata value, name argument was given multiple times"
INVALID_FUNCTION_NAME: Final = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)
NOT_LOADING_LIBRARY: Final = "ERR redis.register_function can only be called on FUNCTION LOAD command"
FUNCTION_ALREADY_IN_LIBRARY: Final = "ERR Function already exists in the library"
UNKNOWN_FUNCTION_FLAG: Final = "ERR unknown flag given"
NO_FUNCTIONS_REGISTERED: Final = "ERR No functions registered"
FUNCTION_LOAD_TIMEOUT: Final = "ERR FUNCTION LOAD timeout"
FUNCTION_KILLED: Final = "ERR Script killed by user with FUNCTION KILL."
FUNCTION_BUSY: Final = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
FUNCTION_FLUSH_OPTIONS: Final = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
LIBRARY_NAME_NOT_GIVEN: Final = "ERR library name argument was not given"
RESTORE_POLICY: Final = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
NOT_A_FUNCTION_PAYLOAD: Final = "ERR given type is not a function"
OLD_FUNCTION_PAYLOAD: Final = "ERR Pre-GA function format not supported"
TRUNCATED_FUNCTION_PAYLOAD: Final = "ERR Failed loading library payload"

# The server
TOO_MANY_CLIENTS: Final = "ERR max number of clients reached"
PROTECTED_MODE: Final = (
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. If you want to connect "
    "from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode "
    "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the "
    "same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. "
    "Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by "
    "editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the "
    "server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' "
    "option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above "
    "things in order for the server to start accepting connections from the outside."
)

# The whole engine
FIRST_DB_INDEX: Final = "ERR invalid first DB index"
SECOND_DB_INDEX: Final = "ERR invalid second DB index"
DEBUG_REFUSED: Final = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
NO_SHUTDOWN: Final = "ERR No shutdown in progress."
PROTOCOL_KINDS: Final = (
    "ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|"
    "attrib|push|verbatim|true|false"
)
SHUTDOWN_FAILED: Final = "ERR Errors trying to SHUTDOWN. Check logs."
NO_MONITOR_HERE: Final = "ERR MONITOR isn't allowed for DENY BLOCKING client"
NOT_FOR_MONITORS: Final = "ERR Replica can't interact with the keyspace"
COMMANDLOG_TYPES: Final = "ERR type should be one of the following: slow, large-request, large-reply"
SLOWLOG_COUNT: Final = "ERR count should be greater than or equal to -1"
OUT_OF_MEMORY: Final = "OOM command not allowed when used memory > 'maxmemory'."
BACKGROUND_SAVE_RUNS: Final = "ERR Background save already in progress"
BACKGROUND_REWRITE_RUNS: Final = "ERR Background append only file rewriting already in progress"
BACKGROUND_WORK_RUNS: Final = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
    "BGSAVE whenever possible."
)
NOTHING_TO_CANCEL: Final = "ERR Background saving is currently not in progress or scheduled"
SAVE_FAILED: Final = "ERR the snapshot could not be written, the log says why"
NO_PERSISTENCE: Final = "ERR nothing keeps the data of this engine on disk"
NO_APPEND_ONLY: Final = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
RDB_MISCONF: Final = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error."
)
LOADING: Final = "LOADING Redis is loading the dataset in memory"
INTERNAL: Final = "ERR internal error, see the log"


def exec_refused(text: str) -> str:
    return f"EXECABORT Transaction discarded because of: {text.removeprefix('ERR ')}"


def wrong_arity(name: str) -> str:
    return f"ERR wrong number of arguments for '{name}' command"


def not_while_subscribed(name: str) -> str:
    return (
        f"ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context"
    )


def unknown_command(name: bytes, arguments: list[bytes]) -> str:
    """The real server shows arguments until their texts together reach 128 bytes."""
    shown_so_far = ""
    for argument in arguments:
        room = 128 - len(shown_so_far)
        if room <= 0:
            break
        shown_so_far += f"'{shown(argument, room)}' "
    return f"ERR unknown command '{shown(name)}', with args beginning with: {shown_so_far}"


def unknown_subcommand(container: str, name: bytes) -> str:
    return f"ERR unknown subcommand '{shown(name)}'. Try {container.upper()} HELP."


def unknown_type(name: bytes) -> str:
    return f"ERR unknown type name '{shown(name)}'"


def unsupported_option(option: bytes) -> str:
    return f"ERR Unsupported option {shown(option)}"


def unknown_option(name: bytes) -> str:
    return f"ERR Unknown option or number of arguments for CONFIG SET - '{shown(name)}'"


def set_failed(name: bytes, reason: str) -> str:
    return f"ERR CONFIG SET failed (possibly related to argument '{shown(name)}') - {reason}"


def rewrite_failed(reason: str) -> str:
    return f"ERR Rewriting config file: {reason}"


def hello_option(option: bytes) -> str:
    return f"ERR Syntax error in HELLO option '{shown(option)}'"


def client_info_option(option: bytes) -> str:
    return f"ERR Unrecognized option '{shown(option)}'"


def prefix_exists(prefix: bytes, other: bytes) -> str:
    return (
        f"ERR Prefix '{shown(prefix)}' overlaps with an existing prefix '{shown(other)}'. "
        "Prefixes for a single client must not overlap."
    )


def prefix_overlaps(prefix: bytes, other: bytes) -> str:
    return (
        f"ERR Prefix '{shown(prefix)}' overlaps with another provided prefix '{shown(other)}'. "
        "Prefixes for a single client must not overlap."
    )


def bad_client_info(option: str) -> str:
    return f"ERR {option} cannot contain spaces, newlines or special characters."


def unknown_client_type(name: bytes) -> str:
    return f"ERR Unknown client type '{shown(name)}'"


def no_input_key(name: str) -> str:
    return f"ERR at least 1 input key is needed for '{name}' command"


def bad_coordinates(longitude: float, latitude: float) -> str:
    return f"ERR invalid longitude,latitude pair {longitude:f},{latitude:f}"


def with_and_store(name: str) -> str:
    return f"ERR {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"


def no_middle(name: str) -> str:
    return f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"


def no_shape(name: str) -> str:
    return f"ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for {name}"


def no_samples(event: bytes) -> str:
    return f"ERR No samples available for event '{shown(event)}'"


def no_such_user(name: bytes) -> str:
    return f"ERR No such user '{shown(name)}'"


def invalid_expire(name: str) -> str:
    return f"ERR invalid expire time in '{name}' command"


def too_few_sources(operation: bytes) -> str:
    return f"ERR BITOP {operation.decode()} must be called with at least two source keys."


def unknown_pfdebug_subcommand(name: bytes) -> str:
    return f"ERR Unknown PFDEBUG subcommand '{shown(name)}'"


def unknown_argument(word: bytes) -> str:
    return f"ERR unknown argument: {shown(word)}"


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


def not_for_deny_blocking(command: str) -> str:
    return f"ERR {command} isn't allowed for a DENY BLOCKING client"


def wrong_subcommand(container: str, subcommand: str) -> str:
    return f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP."


def bad_min_idle(command: str) -> str:
    return f"ERR Invalid min-idle-time argument for {command}"


def bad_claim_option(option: str) -> str:
    return f"ERR Invalid {option} option argument for XCLAIM"


def unknown_claim_option(option: bytes) -> str:
    return f"ERR Unrecognized XCLAIM option '{shown(option)}'"


def unexpected_shebang_engine(engine: bytes) -> str:
    return f"ERR Unexpected engine in script shebang: {shown(engine)}"


def unknown_shebang_option(option: bytes) -> str:
    return f"ERR Unknown lua shebang option: {shown(option)}"


def unexpected_shebang_flag(flag: bytes) -> str:
    return f"ERR Unexpected flag in script shebang: {shown(flag)}"


def script_not_compiled(reason: bytes) -> str:
    return f"ERR Error compiling script (new function): {shown(reason, 1000)}"


def lua_failed(error: Exception) -> str:
    """An error that Lua raised outside of what a script can catch."""
    return f"ERR {error}"


def script_failed(text: bytes, name: bytes, place: bytes) -> str:
    """An error that a script did not catch: `place` is where, such as `@user_script:1`."""
    return f"{shown(text, len(text))} script: {shown(name)}, on {shown(place)}."


def engine_not_found(engine: bytes) -> str:
    return f"ERR Engine '{shown(engine)}' not found"


def invalid_metadata(word: bytes) -> str:
    return f"ERR Invalid metadata value given: {shown(word)}"


def library_exists(name: bytes) -> str:
    return f"ERR Library '{shown(name)}' already exists"


def library_to_restore_exists(name: bytes) -> str:
    return f"ERR Library {shown(name)} already exists"


def function_exists(name: bytes) -> str:
    return f"ERR Function {shown(name)} already exists"


def function_not_compiled(reason: bytes) -> str:
    return f"ERR Error compiling function: {shown(reason, 1000)}"


def functions_not_registered(reason: str) -> str:
    """Why a library failed when it was loaded: the whole error, with its code."""
    return f"ERR Error registering functions: {reason}"


def unknown_load_option(option: bytes) -> str:
    return f"ERR Unknown option given: {shown(option)}"


def unknown_list_argument(argument: bytes) -> str:
    return f"ERR Unknown argument {shown(argument)}"


def expected_bulk(got: str) -> str:
    return f"ERR Protocol error: expected '$', got '{got}'"


def not_a_reply(line: str) -> str:
    return f"ERR Protocol error: '{line}' is no reply"


def aof_write_failed(reason: str) -> str:
    return f"MISCONF Errors writing to the AOF file: {reason}"
