"""The command line: parse, call, print. The only place that catches ``WordsightError`` and chooses an exit status."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run ``wordsight``; exit status 0 done (hits, all well), 1 no hit or something to do, 2 error, 130 interrupted."""
    status = run()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader has gone away
            stream.flush()
    # Leave at once: taking numpy and the runtimes apart is a tenth of a search, and nothing else is left to do.
    os._exit(status)


def run() -> int:
    """Run ``wordsight`` on the words of ``sys.argv`` and return its exit status."""
    from wordsight.cli.app import build
    from wordsight.errors import WordsightError

    try:
        build(sys.argv[1:])()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except WordsightError as error:
        print(f"wordsight: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("wordsight: interrupted; what was done is kept", file=sys.stderr)  # noqa: T201
        return 130
    return 0
