"""The errors that all patterns share; those of one pattern stand with its results."""

from __future__ import annotations

from redis.exceptions import ConnectionError as RedisConnectionError


class PatternError(Exception):
    """The root of what the patterns raise of their own."""


class InvalidArgument(PatternError, ValueError):
    """An argument makes no sense, such as an empty id or a negative limit. Nothing was sent."""


class CannotEncode(PatternError, TypeError):
    """A value cannot be written by the codec. Nothing was sent."""


class CannotDecode(PatternError, ValueError):
    """What is stored was not written by this codec, or not as this type. It is left as it is."""


class OutcomeUnknown(PatternError, RedisConnectionError):
    """The connection was lost before the answer came: the operation was applied once, or not at all.

    It is a redis-py `ConnectionError` too, so that what handles those handles it. What is safe to do next, the
    operation says that raises it.
    """
