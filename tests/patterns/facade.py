"""The asyncio classes behind blocking calls, so that one test tries both kinds."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine, Iterator
from typing import Any


class LoopThread:
    """An event loop in a thread, for calls from others."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="asyncio of the tests", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def close(self) -> None:
        async def end_others() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(end_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Blocked:
    """An object of `alcove.patterns.asyncio`, called without `await` from any thread but the loop's."""

    def __init__(self, thread: LoopThread, target: Any) -> None:
        self.__dict__.update(_thread=thread, _target=target)

    def __getattr__(self, name: str) -> Any:
        return blocked(self._thread, getattr(self._target, name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)

    def __call__(self, *args: Any, **options: Any) -> Any:
        async def called() -> Any:
            result = self._target(*args, **options)
            return await result if inspect.isawaitable(result) else result

        return blocked(self._thread, self._thread.run(called()))

    def __enter__(self) -> Any:
        return blocked(self._thread, self._thread.run(self._target.__aenter__()))

    def __exit__(self, *error: Any) -> Any:
        return self._thread.run(self._target.__aexit__(*error))

    def __iter__(self) -> Iterator[Any]:
        if not hasattr(self._target, "__aiter__"):
            yield from self._target
            return
        iterator = aiter(self._target)
        while True:
            try:
                item = self._thread.run(anext(iterator))
            except StopAsyncIteration:
                return
            yield blocked(self._thread, item)


def blocked(thread: LoopThread, value: Any) -> Any:
    """Hides what is asynchronous of a value."""
    is_ours = type(value).__module__.startswith("alcove.patterns.asyncio")
    asynchronous = any(hasattr(value, name) for name in ("__aenter__", "__aiter__"))
    if inspect.ismethod(value) or inspect.isfunction(value) or is_ours or asynchronous:
        return Blocked(thread, value)
    return value
