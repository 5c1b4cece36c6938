"""The table of configuration directives: a line for each says its name, kind, default, bounds and meaning.

Names and defaults are those of Redis 8; where a directive concerns machinery that Alcove has no part of (a C
allocator, processor affinity, fork), it is here so that files load and tools find it, and has no effect.
Sources: the redis.conf of the Redis and Valkey releases, and CONFIG GET on redis-server 7.0 and valkey-server 8.0.
"""

from __future__ import annotations

from typing import Any, Final

from alcove.engine.config_kinds import (
    HIDDEN,
    IMMUTABLE,
    INT_MAX,
    INT_MIN,
    NOT_WHILE_LOADING,
    PROTECTED,
    UINT64_MAX,
    Addresses,
    BacklogSize,
    BufferLimit,
    BufferLimits,
    Choice,
    Directive,
    Directory,
    EventClasses,
    FileName,
    Frequency,
    HostName,
    Integer,
    MasterAddress,
    Memory,
    MemoryOrPercent,
    Octal,
    OomScores,
    OutputBufferLimits,
    Percentiles,
    SavePoints,
    Secret,
    ShutdownOptions,
    Text,
    TitleTemplate,
    YesNo,
)
from alcove.numeric import INT64_MAX

KB: Final = 1024
MB: Final = 1024 * KB
GB: Final = 1024 * MB

_FACILITIES = "user local0 local1 local2 local3 local4 local5 local6 local7"
_POLICIES = (
    "volatile-lru volatile-lfu volatile-random volatile-ttl allkeys-lru allkeys-lfu allkeys-random noeviction "
    "volatile-lrm allkeys-lrm"
)
_LIMITS = BufferLimits(
    normal=BufferLimit(0, 0, 0),
    replica=BufferLimit(256 * MB, 64 * MB, 60),
    pubsub=BufferLimit(32 * MB, 8 * MB, 60),
)


class Settings:
    """Every directive as an attribute: of the class, its declaration; of an instance, its value."""

    # Network
    port = Integer(6379, 0, 65535, "TCP port to listen on; 0 for none")
    bind = Addresses(("*", "-::*"), "Addresses to listen on")
    bind_source_addr = Text("", "Address that outgoing connections come from")
    unixsocket = Text("", "Path of the Unix socket to listen on", IMMUTABLE)
    unixsocketperm = Octal(0, 0, 0o777, "Permissions of the Unix socket; 0 leaves them to the umask", IMMUTABLE)
    unixsocketgroup = Text("", "Group of the Unix socket", IMMUTABLE)
    protected_mode = YesNo(True, "Without a password, accept connections from this machine only")
    tcp_backlog = Integer(511, 0, INT_MAX, "Connections that may wait to be accepted", IMMUTABLE)
    tcp_keepalive = Integer(300, 0, INT_MAX, "Seconds between probes of silent connections; 0 for none")
    timeout = Integer(0, 0, INT_MAX, "Seconds after which an idle client is closed; 0 for never")
    maxclients = Integer(10000, 1, 2**32 - 1, "Clients connected at once, at most")
    max_new_connections_per_cycle = Integer(10, 1, 1000, "Connections accepted in one turn of the loop")
    max_new_tls_connections_per_cycle = Integer(1, 1, 1000, "TLS connections accepted in one turn of the loop")
    socket_mark_id = Integer(0, 0, 2**32 - 1, "Mark on listening sockets, for packet filters", IMMUTABLE)
    io_threads = Integer(1, 1, 128, "Accepted without effect: one loop serves all clients", IMMUTABLE)
    client_query_buffer_limit = Memory(GB, MB, INT64_MAX, "Bytes of unread commands that close a client")
    client_output_buffer_limit = OutputBufferLimits(_LIMITS, "Unread replies that close a client, by class")
    proto_max_bulk_len = Memory(512 * MB, MB, INT64_MAX, "Largest single argument, and largest string value")

    # TLS
    tls_port = Integer(0, 0, 65535, "TCP port to listen on with TLS; 0 for none")
    tls_cert_file = Text("", "Certificate of the server, PEM")
    tls_key_file = Text("", "Private key of the certificate, PEM")
    tls_key_file_pass = Secret(b"", "Passphrase of the private key")
    tls_client_cert_file = Text("", "Certificate for outgoing connections, PEM")
    tls_client_key_file = Text("", "Private key of the certificate for outgoing connections, PEM")
    tls_client_key_file_pass = Secret(b"", "Passphrase of the private key for outgoing connections")
    tls_dh_params_file = Text("", "Diffie-Hellman parameters, PEM")
    tls_ca_cert_file = Text("", "Certificates of trusted authorities, PEM")
    tls_ca_cert_dir = Text("", "Directory of certificates of trusted authorities")
    tls_auth_clients = Choice("yes", "no yes optional", "Whether clients must show a certificate")
    tls_replication = YesNo(False, "Use TLS to the master")
    tls_cluster = YesNo(False, "Use TLS on the cluster bus")
    tls_protocols = Text("", "TLS versions allowed, such as `TLSv1.2 TLSv1.3`; empty for the default")
    tls_ciphers = Text("", "Ciphers allowed up to TLS 1.2; empty for the default")
    tls_ciphersuites = Text("", "Cipher suites allowed in TLS 1.3; empty for the default")
    tls_prefer_server_ciphers = YesNo(False, "Follow the server's order of ciphers, not the client's")
    tls_session_caching = YesNo(True, "Let clients resume TLS sessions")
    tls_session_cache_size = Integer(20480, 0, INT_MAX, "TLS sessions kept; 0 for no limit")
    tls_session_cache_timeout = Integer(300, 0, INT_MAX, "Seconds that a TLS session is kept")

    # Process and log
    daemonize = YesNo(False, "Run in the background", IMMUTABLE)
    supervised = Choice("no", "upstart systemd auto no", "Tell this supervisor when ready", IMMUTABLE)
    pidfile = Text("", "File that holds the process id while the server runs", IMMUTABLE)
    loglevel = Choice("notice", "debug verbose notice warning nothing", "Least weight of what is logged")
    logfile = Text("", "File to log to; empty for the standard output", IMMUTABLE)
    syslog_enabled = YesNo(False, "Log to the system log too", IMMUTABLE)
    syslog_ident = Text("alcove", "Name in the system log", IMMUTABLE)
    syslog_facility = Choice("local0", _FACILITIES, "Facility in the system log", IMMUTABLE)
    hide_user_data_from_log = YesNo(False, "Leave keys and values out of the log")
    always_show_logo = YesNo(False, "Show the logo in the log at start, not only on a terminal", IMMUTABLE)
    set_proc_title = YesNo(True, "Show the server's state in the title of the process", IMMUTABLE)
    proc_title_template = TitleTemplate("{title} {listen-addr} {server-mode}", "Title of the process")
    crash_log_enabled = YesNo(True, "Log a report when the process crashes")
    crash_memcheck_enabled = YesNo(True, "Accepted without effect")
    ignore_warnings = Text("", "Warnings about the machine not to be fatal")
    disable_thp = YesNo(True, "Ask the kernel not to back this process by huge pages", IMMUTABLE)
    oom_score_adj = Choice("no", "no yes relative absolute", "Tell the kernel which process to end first")
    oom_score_adj_values = OomScores((0, 200, 800), "Scores of master, replica and background child")
    locale_collate = Text("", "Locale of SORT ALPHA; empty for the environment's")
    availability_zone = Text("", "Zone of this server, shown in INFO")
    server_cpulist = Text("", "Accepted without effect: processors of the server", IMMUTABLE)
    bio_cpulist = Text("", "Accepted without effect: processors of background threads", IMMUTABLE)
    aof_rewrite_cpulist = Text("", "Accepted without effect: processors of AOF rewrites", IMMUTABLE)
    bgsave_cpulist = Text("", "Accepted without effect: processors of snapshots", IMMUTABLE)
    shutdown_timeout = Integer(10, 0, INT_MAX, "Seconds that SHUTDOWN waits for replicas")
    shutdown_on_sigint = ShutdownOptions("What SIGINT does")
    shutdown_on_sigterm = ShutdownOptions("What SIGTERM does")

    # Databases and memory
    databases = Integer(16, 1, INT_MAX, "Databases that SELECT can choose from", IMMUTABLE)
    maxmemory = Memory(0, 0, UINT64_MAX, "Bytes of data above which keys are evicted; 0 for no limit")
    maxmemory_policy = Choice("noeviction", _POLICIES, "Which keys are evicted")
    maxmemory_samples = Integer(5, 1, 64, "Keys compared to find one to evict")
    maxmemory_eviction_tenacity = Integer(10, 0, 100, "How long eviction may take, from 0 to 100")
    maxmemory_clients = MemoryOrPercent(0, 0, INT64_MAX, "Bytes that all clients' buffers may take; 0 for no limit")
    lfu_log_factor = Integer(10, 0, INT_MAX, "How slowly access counters grow")
    lfu_decay_time = Integer(1, 0, INT_MAX, "Minutes after which an access counter loses one")
    lazyfree_lazy_eviction = YesNo(False, "Free evicted values in the background; big ones always are")
    lazyfree_lazy_expire = YesNo(False, "Free expired values in the background; big ones always are")
    lazyfree_lazy_server_del = YesNo(False, "Free overwritten values in the background; big ones always are")
    lazyfree_lazy_user_del = YesNo(False, "Free the values of DEL in the background; big ones always are")
    lazyfree_lazy_user_flush = YesNo(False, "Free the values of FLUSHALL in the background; big ones always are")
    active_expire_effort = Integer(1, 1, 10, "How much time may go into removing expired keys")
    hz = Frequency(10, 0, INT_MAX, "Rounds of housekeeping a second, from 1 to 500")
    dynamic_hz = YesNo(True, "More rounds of housekeeping when there are many clients")
    activerehashing = YesNo(True, "Accepted without effect: tables never wait to be rehashed")
    jemalloc_bg_thread = YesNo(True, "Accepted without effect: the allocator is Python's")
    activedefrag = YesNo(False, "Accepted without effect: the allocator is Python's")
    active_defrag_ignore_bytes = Memory(100 * MB, 1, INT64_MAX, "Accepted without effect")
    active_defrag_threshold_lower = Integer(10, 0, 1000, "Accepted without effect")
    active_defrag_threshold_upper = Integer(100, 0, 1000, "Accepted without effect")
    active_defrag_cycle_min = Integer(1, 1, 99, "Accepted without effect")
    active_defrag_cycle_max = Integer(25, 1, 99, "Accepted without effect")
    active_defrag_max_scan_fields = Integer(1000, 1, INT64_MAX, "Accepted without effect")

    # Encodings
    hash_max_listpack_entries = Integer(512, 0, INT64_MAX, "Fields of the largest hash kept as a listpack")
    hash_max_listpack_value = Memory(64, 0, INT64_MAX, "Bytes of the longest field or value in a listpack")
    list_max_listpack_size = Integer(-2, INT_MIN, INT_MAX, "Elements in a list's node, or -1 to -5 for 4 to 64 KB")
    list_compress_depth = Integer(0, 0, INT_MAX, "Nodes left uncompressed at each end of a list; 0 for all")
    set_max_intset_entries = Integer(512, 0, INT64_MAX, "Members of the largest set of integers kept as an intset")
    set_max_listpack_entries = Integer(128, 0, INT64_MAX, "Members of the largest set kept as a listpack")
    set_max_listpack_value = Integer(64, 0, INT64_MAX, "Bytes of the longest member in a listpack")
    zset_max_listpack_entries = Integer(128, 0, INT64_MAX, "Members of the largest sorted set kept as a listpack")
    zset_max_listpack_value = Memory(64, 0, INT64_MAX, "Bytes of the longest member in a sorted set's listpack")
    hll_sparse_max_bytes = Memory(3000, 0, INT64_MAX, "Bytes of the largest HyperLogLog kept sparse")
    stream_node_max_bytes = Memory(4096, 0, INT64_MAX, "Bytes in a stream's node; 0 for no limit")
    stream_node_max_entries = Integer(100, 0, INT64_MAX, "Entries in a stream's node; 0 for no limit")

    # Security
    requirepass = Secret(b"", "Password of the default user")
    aclfile = Text("", "File of users", IMMUTABLE)
    acl_pubsub_default = Choice("resetchannels", "allchannels resetchannels", "Channels of a new user")
    acllog_max_len = Integer(128, 0, INT64_MAX, "Entries kept in the log of refused commands")
    enable_protected_configs = Choice("no", "no yes local", "Who may change dir and dbfilename", IMMUTABLE)
    enable_debug_command = Choice("no", "no yes local", "Who may use DEBUG", IMMUTABLE)
    enable_module_command = Choice("no", "no yes local", "Who may use MODULE", IMMUTABLE)
    sanitize_dump_payload = Choice("no", "no yes clients", "Accepted without effect: payloads are always checked")

    # Snapshots
    dir = Directory("", "Directory of all files", PROTECTED | NOT_WHILE_LOADING)
    dbfilename = FileName("dump.rdb", "Name of the snapshot", PROTECTED, empty=True)
    save = SavePoints(((3600, 1), (300, 100), (60, 10000)), "When to take snapshots")
    rdbcompression = YesNo(True, "Compress long strings in snapshots")
    rdbchecksum = YesNo(True, "Write and check the checksum of snapshots", IMMUTABLE)
    rdb_write_version = Integer(11, 10, 12, "Format of snapshots and DUMP: 10 for Redis 7.0, 11 for 7.2 and Valkey")
    rdb_save_incremental_fsync = YesNo(True, "Sync a snapshot to disk while it is written")
    rdb_del_sync_files = YesNo(False, "Remove snapshots that only replication needed")
    key_load_delay = Integer(0, 0, INT_MAX, "Microseconds that loading pauses behind each key or command", HIDDEN)
    stop_writes_on_bgsave_error = YesNo(True, "Refuse writes while snapshots fail")

    # Append only file
    appendonly = YesNo(False, "Log every write to the append only file", NOT_WHILE_LOADING)
    appendfilename = FileName("appendonly.aof", "Start of the names of the append only files", IMMUTABLE)
    appenddirname = FileName("appendonlydir", "Directory of the append only files", IMMUTABLE, what="dirname")
    appendfsync = Choice("everysec", "everysec always no", "When writes are synced to disk")
    no_appendfsync_on_rewrite = YesNo(False, "Do not sync while a snapshot or rewrite is written")
    auto_aof_rewrite_percentage = Integer(100, 0, INT_MAX, "Growth in percent that causes a rewrite; 0 for never")
    auto_aof_rewrite_min_size = Memory(64 * MB, 0, INT64_MAX, "Bytes below which no rewrite starts by itself")
    aof_load_truncated = YesNo(True, "Start although the end of the append only file is cut")
    aof_load_corrupt_tail_max_size = Memory(0, 0, INT64_MAX, "Bytes of damaged tail to drop at start")
    aof_use_rdb_preamble = YesNo(True, "Begin a rewritten append only file with a snapshot")
    aof_timestamp_enabled = YesNo(False, "Note the time in the append only file")
    aof_rewrite_incremental_fsync = YesNo(True, "Sync a rewrite to disk while it is written")
    aof_disable_auto_gc = YesNo(False, "Keep append only files that a rewrite replaced")

    # Replication
    replicaof = MasterAddress(None, "Host and port of the master", IMMUTABLE)
    masteruser = Secret(b"", "User to authenticate as to the master")
    masterauth = Secret(b"", "Password to authenticate with to the master")
    replica_serve_stale_data = YesNo(True, "Answer while the link to the master is down")
    replica_read_only = YesNo(True, "Refuse writes of clients on a replica")
    replica_priority = Integer(100, 0, INT_MAX, "Lower is promoted first; 0 never")
    replica_announced = YesNo(True, "Let Sentinel report this replica")
    replica_announce_ip = Text("", "Address that the master is told")
    replica_announce_port = Integer(0, 0, 65535, "Port that the master is told; 0 for the real one")
    replica_ignore_maxmemory = YesNo(True, "Leave eviction to the master")
    replica_ignore_disk_write_errors = YesNo(False, "Go on when a replica cannot write to disk")
    replica_lazy_flush = YesNo(False, "Free the old data in the background in a full sync")
    replica_full_sync_buffer_limit = Memory(0, 0, INT64_MAX, "Bytes to buffer in a full sync; 0 for the output limit")
    repl_backlog_size = BacklogSize(MB, 1, INT64_MAX, "Bytes of the stream kept for partial syncs")
    repl_backlog_ttl = Integer(3600, 0, INT64_MAX, "Seconds without replicas until the backlog is freed; 0 for never")
    repl_timeout = Integer(60, 1, INT_MAX, "Seconds of silence that break the link")
    repl_ping_replica_period = Integer(10, 1, INT_MAX, "Seconds between pings to replicas")
    repl_disable_tcp_nodelay = YesNo(False, "Send less often, in bigger packets")
    repl_diskless_sync = YesNo(True, "Send snapshots to replicas without a file")
    repl_diskless_sync_delay = Integer(5, 0, INT_MAX, "Seconds to wait for more replicas before a full sync")
    repl_diskless_sync_max_replicas = Integer(0, 0, INT_MAX, "Replicas that end the wait early; 0 for none")
    repl_diskless_load = Choice(
        "disabled", "disabled on-empty-db swapdb", "Whether a replica loads from the socket", NOT_WHILE_LOADING
    )
    min_replicas_to_write = Integer(0, 0, INT_MAX, "Good replicas without which writes are refused")
    min_replicas_max_lag = Integer(10, 0, INT_MAX, "Seconds of lag that a good replica may have")
    propagation_error_behavior = Choice("ignore", "ignore panic panic-on-replicas", "When a replayed write fails")

    # Cluster
    cluster_enabled = YesNo(False, "Be a node of a cluster", IMMUTABLE)
    cluster_config_file = Text("nodes.conf", "File in which the node keeps its view of the cluster", IMMUTABLE)
    cluster_node_timeout = Integer(15000, 0, INT64_MAX, "Milliseconds of silence until a node counts as failing")
    cluster_port = Integer(0, 0, 65535, "Port of the cluster bus; 0 for the port plus 10000", IMMUTABLE)
    cluster_announce_ip = Text("", "Address that other nodes are told")
    cluster_announce_port = Integer(0, 0, 65535, "Port that other nodes are told")
    cluster_announce_tls_port = Integer(0, 0, 65535, "TLS port that other nodes are told")
    cluster_announce_bus_port = Integer(0, 0, 65535, "Port of the cluster bus that other nodes are told")
    cluster_announce_hostname = HostName("", "Host name that clients are told")
    cluster_announce_human_nodename = Text("", "Name of the node in logs")
    cluster_preferred_endpoint_type = Choice("ip", "ip hostname unknown-endpoint", "What redirections name")
    cluster_require_full_coverage = YesNo(True, "Serve nothing while slots are missing")
    cluster_allow_reads_when_down = YesNo(False, "Serve reads while the cluster is down")
    cluster_allow_pubsubshard_when_down = YesNo(True, "Serve sharded pub/sub while the cluster is down")
    cluster_allow_replica_migration = YesNo(True, "Let replicas move to masters without any")
    cluster_migration_barrier = Integer(1, 0, INT_MAX, "Replicas that a master keeps when others move")
    cluster_replica_no_failover = YesNo(False, "Never promote this replica by itself")
    cluster_replica_validity_factor = Integer(10, 0, INT_MAX, "How old a replica's data may be to be promoted")
    cluster_link_sendbuf_limit = Memory(0, 0, UINT64_MAX, "Bytes unsent on the cluster bus that break a link")
    cluster_slot_stats_enabled = YesNo(False, "Count the traffic of each slot")
    cluster_slot_migration_handoff_max_lag_bytes = Memory(MB, 0, INT64_MAX, "Lag at which a slot is handed over")
    cluster_slot_migration_write_pause_timeout = Integer(10000, 0, INT64_MAX, "Milliseconds that a handover may take")

    # Scripts, events, tracking
    busy_reply_threshold = Integer(5000, 0, INT64_MAX, "Milliseconds after which a script lets others see BUSY")
    notify_keyspace_events = EventClasses(0, "Which keyspace events are published")
    tracking_table_max_keys = Integer(1000000, 0, INT64_MAX, "Keys remembered for client side caching; 0 for no limit")

    # Monitoring
    slowlog_log_slower_than = Integer(10000, -1, INT64_MAX, "Microseconds that make a command slow; -1 for no log")
    slowlog_max_len = Integer(128, 0, INT64_MAX, "Entries kept in the slow log")
    commandlog_request_larger_than = Integer(MB, -1, INT64_MAX, "Bytes that make a request large; -1 for no log")
    commandlog_large_request_max_len = Integer(128, 0, INT64_MAX, "Entries kept in the log of large requests")
    commandlog_reply_larger_than = Integer(MB, -1, INT64_MAX, "Bytes that make a reply large; -1 for no log")
    commandlog_large_reply_max_len = Integer(128, 0, INT64_MAX, "Entries kept in the log of large replies")
    latency_monitor_threshold = Integer(0, 0, INT64_MAX, "Milliseconds that make an event of LATENCY; 0 for none")
    latency_tracking = YesNo(True, "Keep a histogram of each command's latency")
    latency_tracking_info_percentiles = Percentiles((50.0, 99.0, 99.9), "Percentiles shown in INFO latencystats")


# Other names of directives, old ones of Redis and those of Valkey.
ALIASES: Final = {
    b"aof_rewrite_cpulist": b"aof-rewrite-cpulist",
    b"bgsave_cpulist": b"bgsave-cpulist",
    b"bio_cpulist": b"bio-cpulist",
    b"cluster-slave-no-failover": b"cluster-replica-no-failover",
    b"cluster-slave-validity-factor": b"cluster-replica-validity-factor",
    b"commandlog-execution-slower-than": b"slowlog-log-slower-than",
    b"commandlog-slow-execution-max-len": b"slowlog-max-len",
    b"hash-max-ziplist-entries": b"hash-max-listpack-entries",
    b"hash-max-ziplist-value": b"hash-max-listpack-value",
    b"list-max-ziplist-size": b"list-max-listpack-size",
    b"lua-time-limit": b"busy-reply-threshold",
    b"min-slaves-max-lag": b"min-replicas-max-lag",
    b"min-slaves-to-write": b"min-replicas-to-write",
    b"primaryauth": b"masterauth",
    b"primaryuser": b"masteruser",
    b"repl-ping-slave-period": b"repl-ping-replica-period",
    b"server_cpulist": b"server-cpulist",
    b"slave-announce-ip": b"replica-announce-ip",
    b"slave-announce-port": b"replica-announce-port",
    b"slave-ignore-maxmemory": b"replica-ignore-maxmemory",
    b"slave-lazy-flush": b"replica-lazy-flush",
    b"slave-priority": b"replica-priority",
    b"slave-read-only": b"replica-read-only",
    b"slave-serve-stale-data": b"replica-serve-stale-data",
    b"slaveof": b"replicaof",
    b"zset-max-ziplist-entries": b"zset-max-listpack-entries",
    b"zset-max-ziplist-value": b"zset-max-listpack-value",
}

# The directives by name, in the order of the table, and all names that find one.
DIRECTIVES: Final[dict[bytes, Directive[Any]]] = {
    directive.name: directive for directive in vars(Settings).values() if isinstance(directive, Directive)
}
NAMES: Final = DIRECTIVES | {alias: DIRECTIVES[name] for alias, name in ALIASES.items()}

# What a file may say although Alcove has nothing to set: directives that the real servers ignore by now, and
# those of machinery that Alcove does otherwise. Each takes one word.
IGNORED: Final = frozenset(
    {
        b"dual-channel-replication-enabled",
        b"events-per-io-thread",
        b"extended-redis-compatibility",
        b"io-threads-do-reads",
        b"list-max-ziplist-entries",
        b"list-max-ziplist-value",
        b"lookahead",
        b"lua-replicate-commands",
        b"prefetch-batch-max-size",
        b"repl-rdb-channel",
    }
)
