"""INFO: what the server says of itself, in sections. What sits above the engine adds sections of its own."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Final

from alcove.engine import table
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.engine import Engine
from alcove.engine.latency import percentile_ns
from alcove.values import Verbatim
from alcove.version import REDIS_VERSION, VERSION

GROUP = "server"

Section = Mapping[str, object]

UNITS = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


@command(
    "INFO [section [section ...]]",
    flags="loading stale",
    acl="+dangerous",
    since="1.0.0",
    complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def info(ctx: Context, *sections: bytes) -> Verbatim:
    """Returns information and statistics about the server."""
    engine = ctx.engine
    known: dict[str, Callable[[Engine], Section]] = {**SECTIONS, **engine.info_sections}
    wanted = {section.decode("latin-1").lower() for section in sections}
    if not wanted or wanted & {"default"}:
        wanted |= set(known) - ON_REQUEST
    if wanted & {"all", "everything"}:
        wanted |= set(known)
    parts = [laid_out(name, section(engine)) for name, section in known.items() if name in wanted]
    return Verbatim("\r\n".join(parts).encode("utf-8", "surrogateescape"))


def laid_out(name: str, section: Section) -> str:
    lines = [f"# {name.capitalize()}", *(f"{field}:{value}" for field, value in section.items())]
    return "".join(f"{line}\r\n" for line in lines)


def human(size: int) -> str:
    """A size as the real server shortens it: `1.50M`."""
    for unit, letter in UNITS:
        if size >= unit:
            return f"{size / unit:.2f}{letter}"
    return f"{size}B"


def server_section(engine: Engine) -> Section:
    import platform  # long to import, for who asks

    uptime = (engine.clock.now_us() - engine.started_us) // 1_000_000
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0",
        "redis_mode": "standalone",
        "server_name": "alcove",
        "alcove_version": VERSION,
        "alcove_build": "pure" if table.__file__.endswith(".py") else "compiled",
        "python_version": platform.python_version(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "arch_bits": sys.maxsize.bit_length() + 1,
        "process_id": os.getpid(),
        "run_id": engine.run_id,
        "tcp_port": engine.config.port,
        "server_time_usec": engine.clock.now_us(),
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "hz": engine.config.hz,
        "configured_hz": engine.config.hz,
        "executable": sys.executable,
        "config_file": engine.config.file or "",
    }


def clients_section(engine: Engine) -> Section:
    sessions = engine.sessions.values()
    return {
        "connected_clients": len(engine.sessions),
        "maxclients": engine.config.maxclients,
        "blocked_clients": sum(session.blocked for session in sessions),
        "tracking_clients": len(engine.tracking.trackers),
        "pubsub_clients": engine.channels.clients(),
        "watching_clients": sum(bool(session.watched) for session in sessions),
        "total_watched_keys": sum(len(database.watchers) for database in engine.space.databases),
        "total_blocking_keys": sum(len(database.waiting) for database in engine.space.databases),
    }


def memory_section(engine: Engine) -> Section:
    """What `used_memory` counts is the data. Buffers and the interpreter, from before the first command, are told
    beside it, and the ratios compare the process with all of that.
    """
    used = engine.space.used
    peak = engine.peak_used = max(engine.peak_used, used)
    resident = resident_bytes()
    system = system_bytes()
    limit = engine.config.maxmemory
    parts = memory_of_buffers(engine)
    buffers = sum(parts.values())
    told = used + buffers + STARTED_WITH
    return {
        "used_memory": used,
        "used_memory_human": human(used),
        "used_memory_rss": resident,
        "used_memory_rss_human": human(resident),
        "used_memory_peak": peak,
        "used_memory_peak_human": human(peak),
        "used_memory_peak_perc": f"{100 * used / max(peak, 1):.2f}%",
        "used_memory_overhead": buffers,
        "used_memory_startup": STARTED_WITH,
        "used_memory_dataset": used,
        "used_memory_dataset_perc": "100.00%",
        "allocator_allocated": told,
        "allocator_active": resident,
        "allocator_resident": resident,
        "total_system_memory": system,
        "total_system_memory_human": human(system),
        **scripts_memory(engine),
        "maxmemory": limit,
        "maxmemory_human": human(limit),
        "maxmemory_policy": engine.config.maxmemory_policy,
        "allocator_frag_ratio": f"{resident / told:.2f}",
        "allocator_frag_bytes": max(resident - told, 0),
        "allocator_rss_ratio": "1.00",
        "allocator_rss_bytes": 0,
        "rss_overhead_ratio": "1.00",
        "rss_overhead_bytes": 0,
        "mem_fragmentation_ratio": f"{resident / told:.2f}",
        "mem_fragmentation_bytes": resident - told,
        "mem_not_counted_for_evict": 0,
        "mem_replication_backlog": 0,
        "mem_total_replication_buffers": 0,
        "mem_clients_slaves": 0,
        **parts,
        "mem_cluster_links": 0,
        "mem_allocator": "python",
        "active_defrag_running": 0,
        "lazyfree_pending_objects": sum(len(value) for value in engine.space.graveyard),
        "lazyfreed_objects": engine.space.freed,
    }


def memory_of_buffers(engine: Engine) -> dict[str, int]:
    """What clients have sent and not yet read, and what is not yet written to the append-only file."""
    unwritten = 0
    if engine.journal is not None and engine.persistence is not None:
        unwritten = engine.persistence.appended() - engine.journal.appended
    return {"mem_clients_normal": engine.client_bytes(), "mem_aof_buffer": unwritten}


def scripts_memory(engine: Engine) -> Section:
    """What scripts and functions take: Lua's memory, which they share, and their texts."""
    runtime = engine.scripting
    functions = None if runtime is None else runtime.functions
    lua = 0 if runtime is None else runtime.memory_used()
    scripts = 0 if runtime is None else runtime.footprint()
    libraries = 0 if functions is None else functions.footprint()
    return {
        "used_memory_vm_eval": lua,
        "used_memory_lua": lua,
        "used_memory_lua_human": human(lua),
        "used_memory_scripts_eval": scripts,
        "number_of_cached_scripts": 0 if runtime is None else len(runtime.scripts),
        "number_of_functions": 0 if functions is None else len(functions.libraries.functions),
        "number_of_libraries": 0 if functions is None else len(functions.libraries.by_name),
        "used_memory_vm_functions": 0,
        "used_memory_vm_total": lua,
        "used_memory_vm_total_human": human(lua),
        "used_memory_functions": libraries,
        "used_memory_scripts": scripts + libraries,
        "used_memory_scripts_human": human(scripts + libraries),
    }


def resident_bytes() -> int:
    """The memory of this process, as the system counts it."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # No such file: a system that tells only the highest mark, in KB.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def system_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def stats_section(engine: Engine) -> Section:
    space = engine.space
    return {
        "total_connections_received": engine.connections_received,
        "total_commands_processed": engine.commands_processed,
        "expired_keys": space.expired,
        "expire_lag_ms": engine.expire_lag_ms,
        "evicted_keys": engine.eviction.evicted,
        "total_eviction_exceeded_time": (engine.eviction.exceeded_us + engine.eviction.current_exceeded_us()) // 1000,
        "current_eviction_exceeded_time": engine.eviction.current_exceeded_us() // 1000,
        "keyspace_hits": space.hits,
        "keyspace_misses": space.misses,
        "pubsub_channels": len(engine.channels.channels),
        "pubsub_patterns": len(engine.channels.patterns),
        "pubsubshard_channels": len(engine.channels.shards),
        "tracking_total_keys": len(engine.tracking.table),
        "tracking_total_items": engine.tracking.items,
        "tracking_total_prefixes": len(engine.tracking.prefixes),
        "unexpected_error_replies": engine.unexpected_errors,
        "total_error_replies": sum(engine.error_counts.values()),
    }


def replication_section(engine: Engine) -> Section:
    return {"role": "master", "connected_slaves": 0, "master_replid": engine.run_id, "master_repl_offset": 0}


def cpu_section(engine: Engine) -> Section:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "used_cpu_sys": f"{usage.ru_stime:.6f}",
        "used_cpu_user": f"{usage.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
    }


def modules_section(engine: Engine) -> Section:
    return {}


def commandstats_section(engine: Engine) -> Section:
    return {
        f"cmdstat_{command.name}": (
            f"calls={command.calls},usec={command.usec},usec_per_call={command.usec / max(command.calls, 1):.2f},"
            f"rejected_calls={command.rejected},failed_calls={command.failed}"
        )
        for command in engine.registry
        if command.calls or command.rejected
    }


def latencystats_section(engine: Engine) -> Section:
    if not engine.config.latency_tracking:
        return {}
    percentiles = engine.config.latency_tracking_info_percentiles
    return {
        f"latency_percentiles_usec_{command.name}": ",".join(
            f"p{shortest(one)}={percentile_ns(command.latency, one) / 1000:.3f}" for one in percentiles
        )
        for command in engine.registry
        if command.latency.calls
    }


def shortest(number: float) -> str:
    """A number without zeros at its end."""
    return f"{number:f}".rstrip("0").rstrip(".")


def errorstats_section(engine: Engine) -> Section:
    return {f"errorstat_{code}": f"count={count}" for code, count in sorted(engine.error_counts.items())}


def cluster_section(engine: Engine) -> Section:
    return {"cluster_enabled": 0}


def keyspace_section(engine: Engine) -> Section:
    return {
        f"db{database.number}": f"keys={len(database)},expires={database.table.volatile},avg_ttl=0"
        for database in engine.space.databases
        if len(database)
    }


# What the process took before there was any data.
STARTED_WITH: Final = resident_bytes()
SECTIONS: dict[str, Callable[[Engine], Section]] = {
    "server": server_section,
    "clients": clients_section,
    "memory": memory_section,
    "stats": stats_section,
    "replication": replication_section,
    "cpu": cpu_section,
    "modules": modules_section,
    "commandstats": commandstats_section,
    "errorstats": errorstats_section,
    "latencystats": latencystats_section,
    "cluster": cluster_section,
    "keyspace": keyspace_section,
}
# Sections that are long and shown only when asked for.
ON_REQUEST = {"commandstats", "latencystats"}
