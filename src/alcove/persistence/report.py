"""INFO's section on persistence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alcove.persistence.durability import Durability


def persistence_section(durability: Durability) -> dict[str, object]:
    """The fields, in the real server's order and words."""
    engine = durability.engine
    loader, snapshot, journal = durability.loader, durability.snapshot, durability.journal
    return {
        "loading": int(loader is not None),
        "async_loading": 0,
        "current_save_keys_processed": snapshot.saved if snapshot is not None else 0,
        "current_save_keys_total": snapshot.keys if snapshot is not None else 0,
        "rdb_changes_since_last_save": durability.changes,
        "rdb_bgsave_in_progress": int(durability.saving),
        "rdb_last_save_time": durability.last_save_s,
        "rdb_last_bgsave_status": status(durability.save_failed),
        "rdb_last_bgsave_time_sec": durability.save_took_s,
        "rdb_current_bgsave_time_sec": durability.job_seconds() if durability.saving else -1,
        "rdb_saves": durability.saves,
        "rdb_last_load_keys_loaded": durability.keys_loaded,
        "rdb_last_load_keys_expired": durability.keys_expired,
        "aof_enabled": int(engine.config.appendonly),
        "aof_rewrite_in_progress": int(durability.rewriting),
        "aof_rewrite_scheduled": int(durability.rewrite_scheduled),
        "aof_last_rewrite_time_sec": durability.rewrite_took_s,
        "aof_current_rewrite_time_sec": durability.job_seconds() if durability.rewriting else -1,
        "aof_last_bgrewrite_status": status(durability.rewrite_failed),
        "aof_rewrites": durability.rewrites,
        "aof_last_write_status": status(journal is not None and journal.trouble is not None),
        **(appended_fields(durability) if journal is not None else {}),
        **(loading_fields(durability) if loader is not None else {}),
    }


def appended_fields(durability: Durability) -> dict[str, object]:
    journal = durability.journal
    assert journal is not None
    return {
        "aof_current_size": durability.aof_size(),
        "aof_base_size": durability.base_size,
        "aof_pending_rewrite": int(durability.rewrite_scheduled),
        "aof_buffer_length": journal.position - journal.appended,
        "aof_pending_bio_fsync": int(journal.appended > journal.synced),
        "aof_delayed_fsync": 0,
    }


def loading_fields(durability: Durability) -> dict[str, object]:
    loader = durability.loader
    assert loader is not None
    share = 100 * loader.loaded_bytes / max(loader.total_bytes, 1)
    return {
        "loading_total_bytes": loader.total_bytes,
        "loading_loaded_bytes": loader.loaded_bytes,
        "loading_loaded_perc": f"{share:.2f}",
    }


def status(failed: bool) -> str:
    return "err" if failed else "ok"
