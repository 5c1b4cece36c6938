"""INFO's section on persistence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alcove.persistence.appending import Appending
    from alcove.persistence.durability import Durability


def persistence_section(durability: Durability) -> dict[str, object]:
    """The fields, in the real server's order and words. Nothing is copied on write where nothing forks."""
    engine = durability.engine
    saving, appending = durability.saving, durability.appending
    loader, snapshot, journal = durability.loader, saving.snapshot, appending.journal
    seconds = durability.jobs.seconds
    return {
        "loading": int(loader is not None),
        "async_loading": 0,
        "current_cow_peak": 0,
        "current_cow_size": 0,
        "current_cow_size_age": 0,
        "current_fork_perc": f"{100 * snapshot.saved / max(snapshot.keys, 1):.2f}" if snapshot is not None else "0.00",
        "current_save_keys_processed": snapshot.saved if snapshot is not None else 0,
        "current_save_keys_total": snapshot.keys if snapshot is not None else 0,
        "rdb_changes_since_last_save": saving.changes,
        "rdb_bgsave_in_progress": int(saving.running),
        "rdb_last_save_time": saving.last_s,
        "rdb_last_bgsave_status": status(saving.failed),
        "rdb_last_bgsave_time_sec": saving.took_s,
        "rdb_current_bgsave_time_sec": seconds() if saving.running else -1,
        "rdb_saves": saving.count,
        "rdb_last_cow_size": 0,
        "rdb_last_load_keys_expired": durability.keys_expired,
        "rdb_last_load_keys_loaded": durability.keys_loaded,
        "aof_enabled": int(engine.config.appendonly),
        "aof_rewrite_in_progress": int(appending.rewriting),
        "aof_rewrite_scheduled": int(appending.scheduled),
        "aof_last_rewrite_time_sec": appending.took_s,
        "aof_current_rewrite_time_sec": seconds() if appending.rewriting else -1,
        "aof_last_bgrewrite_status": status(appending.failed),
        "aof_rewrites": appending.rewrites,
        "aof_rewrites_consecutive_failures": appending.failures,
        "aof_last_write_status": status(journal is not None and journal.trouble is not None),
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
        **(appended_fields(appending) if journal is not None else {}),
        **(loading_fields(durability) if loader is not None else {}),
    }


def appended_fields(appending: Appending) -> dict[str, object]:
    journal = appending.journal
    assert journal is not None
    return {
        "aof_current_size": appending.size,
        "aof_base_size": appending.base_size,
        "aof_pending_rewrite": int(appending.scheduled),
        "aof_buffer_length": journal.position - journal.appended,
        "aof_pending_bio_fsync": int(journal.appended > journal.synced),
        "aof_delayed_fsync": 0,
    }


def loading_fields(durability: Durability) -> dict[str, object]:
    loader = durability.loader
    assert loader is not None
    loaded, total = loader.loaded_bytes, loader.total_bytes
    now_s = durability.engine.clock.now_us() // 1_000_000
    return {
        "loading_start_time": loader.began_s,
        "loading_total_bytes": total,
        "loading_rdb_used_mem": loader.saved_memory,
        "loading_loaded_bytes": loaded,
        "loading_loaded_perc": f"{100 * loaded / max(total, 1):.2f}",
        "loading_eta_seconds": (now_s - loader.began_s) * (total - loaded) // loaded if loaded else 1,
    }


def status(failed: bool) -> str:
    return "err" if failed else "ok"
