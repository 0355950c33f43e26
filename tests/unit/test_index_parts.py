"""Rows are worked on in parts."""

import os
import subprocess
import sys

import pytest

from wordsight.index.parts import evenly, in_parts

FORKED = """
import os
from wordsight.index.parts import in_parts
assert in_parts(abs, [-1, -2]) == [1, 2]
child = os.fork()
if not child:
    os._exit(0 if in_parts(abs, [-3, -4, -5]) == [3, 4, 5] and in_parts(abs, [-1, -2]) == [1, 2] else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("rows", "pieces"), [(0, 1), (1, 1), (10, 3), (2, 4), (1_000_001, 7)])
def test_parts_hold_each_row_once(rows: int, pieces: int) -> None:
    parts = evenly(rows, pieces)
    assert len(parts) == pieces
    assert [row for part in parts for row in range(rows)[part]] == list(range(rows))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_what_is_made_comes_in_order_and_errors_come_through() -> None:
    assert in_parts(lambda part: part * 2, list(range(20))) == list(range(0, 40, 2))
    for wrong in (0, 2):
        with pytest.raises(ZeroDivisionError):
            in_parts(lambda part, wrong=wrong: 1 // (part - wrong), [0, 1, 2])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "0"
