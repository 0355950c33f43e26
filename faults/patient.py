"""A driver that gives workers few seconds for a piece: ``python -m faults.patient SECONDS python -m wordsight ...``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the words behind the number in this process."""
    from wordsight.cli import run
    from wordsight.scale import ray_runner

    ray_runner.RESULT_SECONDS = float(sys.argv[1])
    sys.argv = sys.argv[4:]  # behind the number, "python -m"
    return run()


if __name__ == "__main__":
    sys.exit(main())
