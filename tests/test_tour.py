"""The guided tour: all its code runs as it says, and the tests that it names are there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

TOUR = Path(__file__).parent.parent / "docs" / "chapter.md"
PATTERNS = Path(__file__).parent / "patterns"


def blocks() -> list[tuple[int, str]]:
    """The lines where blocks of Python begin, and their texts."""
    text = TOUR.read_text()
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in found]


def test_the_tour_runs() -> None:
    parser, names = doctest.DocTestParser(), {"__name__": "tour"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    examples = 0
    report: list[str] = []
    for line, text in blocks():
        test = parser.get_doctest(text, names, f"chapter.md, line {line}", str(TOUR), line)
        # Names live on from block to block.
        test.globs = names
        runner.run(test, out=report.append, clear_globs=False)
        examples += len(test.examples)
    assert not report, "".join(report)
    assert examples > 120


def test_every_listing_of_the_chapter_has_its_counterpart() -> None:
    text = TOUR.read_text()
    names = """
        get_or_load write_through WriteBehind refresh_ahead invalidate_from ProductCache ChatRoom NotificationService
        SessionStore RateLimiter check_sliding_window ShoppingCart Leaderboard DistributedLock JobQueue Worker Keys
        pipeline config_set
    """
    for name in names.split():
        assert name in text, name


def test_the_tests_that_the_tour_names_are_there() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", TOUR.read_text())
    assert len(named) >= 12
    for file, test in named:
        assert re.search(rf"^def {test}\(", (PATTERNS / file).read_text(), re.MULTILINE), f"{file} has no {test}"
