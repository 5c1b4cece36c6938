"""The versions that Alcove gives for itself."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
# The release of Redis whose commands Alcove has; clients decide by it what they may use.
REDIS_VERSION: Final = "8.4.0"
