"""The command line: parse, call, print. The only place that catches ``WordsightError`` and chooses an exit status."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``wordsight``; exit status 0 done (hits, all well), 1 no hit or something to do, 2 error, 130 interrupted."""
    from wordsight.cli.app import app
    from wordsight.errors import WordsightError

    try:
        app()
    except WordsightError as error:
        print(f"wordsight: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except KeyboardInterrupt:
        print("wordsight: interrupted; what was done is kept", file=sys.stderr)  # noqa: T201
        sys.exit(130)
