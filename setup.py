"""Builds the hot modules with Cython; `ALCOVE_PURE=1` leaves all of them plain Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# The one list of compiled modules. A module with a `.pyx` beside its `.py` is a native twin: the `.pyx` is built. What
# only native twins use has no `.py`.
COMPILED = [
    "alcove.client.aio_clients",
    "alcove.client.arguments",
    "alcove.client.clients",
    "alcove.client.fast",
    "alcove.client.in_process",
    "alcove.codec.crc64",
    "alcove.codec.lzf",
    "alcove.codec.primitives",
    "alcove.codec.streams",
    "alcove.codec.values",
    "alcove.commands.bitmap",
    "alcove.commands.connection",
    "alcove.commands.expiration",
    "alcove.commands.function",
    "alcove.commands.generic",
    "alcove.commands.geo",
    "alcove.commands.hash",
    "alcove.commands.hash_expiration",
    "alcove.commands.hyperloglog",
    "alcove.commands.info",
    "alcove.commands.list",
    "alcove.commands.list_blocking",
    "alcove.commands.memory",
    "alcove.commands.pubsub",
    "alcove.commands.scripting",
    "alcove.commands.server",
    "alcove.commands.set",
    "alcove.commands.set_algebra",
    "alcove.commands.sort",
    "alcove.commands.sorted_set",
    "alcove.commands.sorted_set_algebra",
    "alcove.commands.sorted_set_range",
    "alcove.commands.stream",
    "alcove.commands.stream_arguments",
    "alcove.commands.stream_delivery",
    "alcove.commands.stream_group",
    "alcove.commands.stream_info",
    "alcove.commands.stream_read",
    "alcove.commands.string",
    "alcove.commands.transactions",
    "alcove.engine.arguments",
    "alcove.engine.channels",
    "alcove.engine.clock",
    "alcove.engine.context",
    "alcove.engine.declaration",
    "alcove.engine.engine",
    "alcove.engine.eviction",
    "alcove.engine.glob",
    "alcove.engine.histogram",
    "alcove.engine.keyspace",
    "alcove.engine.lock",
    "alcove.engine.notifications",
    "alcove.engine.postponing",
    "alcove.engine.session",
    "alcove.engine.snapshot",
    "alcove.engine.table",
    "alcove.engine.tracking",
    "alcove.engine.waits",
    "alcove.integers",
    "alcove.numeric",
    "alcove.persistence.journal",
    "alcove.persistence.rdb",
    "alcove.persistence.records",
    "alcove.protocol.output",
    "alcove.protocol.reader",
    "alcove.protocol.shape",
    "alcove.protocol.writer",
    "alcove.scripting.border",
    "alcove.scripting.bridge",
    "alcove.scripting.conversion",
    "alcove.scripting.lua_api",
    "alcove.scripting.lua_output",
    "alcove.scripting.native_border",
    "alcove.scripting.native_json",
    "alcove.scripting.native_libraries",
    "alcove.scripting.native_packing",
    "alcove.scripting.runtime",
    "alcove.server.agenda",
    "alcove.server.connection",
    "alcove.server.loop",
    "alcove.types.bits",
    "alcove.types.blocks",
    "alcove.types.container",
    "alcove.types.dense_map",
    "alcove.types.geohash",
    "alcove.types.hash",
    "alcove.types.hyperloglog",
    "alcove.types.hyperloglog_registers",
    "alcove.types.intset",
    "alcove.types.lcs",
    "alcove.types.limits",
    "alcove.types.list",
    "alcove.types.listpack",
    "alcove.types.listpack_entry",
    "alcove.types.score_list",
    "alcove.types.score_tree",
    "alcove.types.set",
    "alcove.types.sorted_set",
    "alcove.types.stream",
    "alcove.types.stream_group",
    "alcove.types.stream_id",
    "alcove.types.stream_node",
    "alcove.types.stream_records",
    "alcove.types.untracked",
]

# Containers without a native twin, of which there can be as many as keys. What they own does not lead back to them, so
# their classes are not the garbage collector's, whose head would be 16 bytes of each. Cython has a decorator for that,
# which a module that also runs without Cython cannot name.
UNCOLLECTED = ["alcove.types.hash", "alcove.types.set", "alcove.types.sorted_set"]

PACKAGE = Path("src")


class LoudBuild(build_ext):
    """Says what to do when there is no working compiler, instead of a page of its messages alone."""

    def build_extensions(self) -> None:
        self.parallel = self.parallel or os.cpu_count()
        try:
            super().build_extensions()
        except Exception as error:
            sys.exit(
                f"alcove: compiling failed: {error}\n"
                "A C compiler and Python's headers are needed to build Alcove's fast modules.\n"
                "Set ALCOVE_PURE=1 to install it as plain Python, which runs everywhere but slower."
            )


def source_of(module: str) -> str:
    stem = PACKAGE.joinpath(*module.split("."))
    twin = stem.with_suffix(".pyx")
    return str(twin if twin.exists() else stem.with_suffix(".py"))


def cythonized(modules: list[str], **directives: bool) -> list[Extension]:
    from Cython.Build import cythonize
    from Cython.Compiler.Options import get_directive_defaults

    # What has a default may be said of a whole module.
    get_directive_defaults().setdefault("no_gc", False)
    flags = [] if sys.platform == "win32" else ["-O2", "-g0", "-fno-strict-aliasing", "-Wno-unused-function"]
    return cythonize(
        [Extension(module, [source_of(module)], extra_compile_args=flags) for module in modules],
        build_dir="build/cython",
        nthreads=os.cpu_count() or 1,
        compiler_directives={
            "language_level": "3",
            "wraparound": False,
            "initializedcheck": False,
            **directives,
        },
    )


def extensions() -> list[Extension]:
    """Handlers take their C types from their annotations; everywhere else the `.pxd` alone says them, because an
    annotated function that a `.pxd` declares too would have two signatures."""
    if os.environ.get("ALCOVE_PURE") == "1":
        return []
    handlers = [module for module in COMPILED if module.startswith("alcove.commands.")]
    others = [module for module in COMPILED if module not in handlers and module not in UNCOLLECTED]
    return [
        *cythonized(others, annotation_typing=False),
        *cythonized(UNCOLLECTED, annotation_typing=False, no_gc=True),
        *cythonized(handlers, annotation_typing=True),
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": LoudBuild})
