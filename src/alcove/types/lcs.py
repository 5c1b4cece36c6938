"""The longest common subsequence of two byte strings, as LCS computes it."""

from __future__ import annotations

from array import array


class Lcs:
    """The table of lengths for two strings: row i, column j holds the length for their first i and j bytes.

    It needs (len(a) + 1) * (len(b) + 1) cells of four bytes.
    """

    def __init__(self, first: bytes, second: bytes) -> None:
        self._first = first
        self._second = second
        self._width = len(second) + 1
        self._cells = array("I", bytes(4 * (len(first) + 1) * self._width))
        self._fill()

    @staticmethod
    def bytes_needed(first: int, second: int) -> int:
        """The memory that two strings of these lengths take."""
        return 4 * (first + 1) * (second + 1)

    def _fill(self) -> None:
        cells, first, second, width = self._cells, self._first, self._second, self._width
        rows = len(self._first)
        for row in range(1, rows + 1):
            here = row * width
            above = here - width
            byte = first[row - 1]
            for column in range(1, width):
                if byte == second[column - 1]:
                    cells[here + column] = cells[above + column - 1] + 1
                elif cells[above + column] > cells[here + column - 1]:
                    cells[here + column] = cells[above + column]
                else:
                    cells[here + column] = cells[here + column - 1]

    def __len__(self) -> int:
        """The length of the longest common subsequence."""
        return self._cells[len(self._cells) - 1]

    def text(self) -> bytes:
        """One longest common subsequence."""
        return b"".join(self._first[start : end + 1] for start, end, _ in reversed(self.matches()))

    def matches(self) -> list[tuple[int, int, int]]:
        """The runs that both strings share, last first: (first index, last index, first index in the other)."""
        cells, width = self._cells, self._width
        runs: list[tuple[int, int, int]] = []
        row, column = len(self._first), len(self._second)
        end = -1
        while row and column:
            if self._first[row - 1] == self._second[column - 1]:
                if end < 0:
                    end = row - 1
                row -= 1
                column -= 1
                continue
            if end >= 0:
                runs.append((row, end, column))
                end = -1
            if cells[(row - 1) * width + column] > cells[row * width + column - 1]:
                row -= 1
            else:
                column -= 1
        if end >= 0:
            runs.append((row, end, column))
        return runs
