"""``python -m wordsight``."""

from wordsight.cli import main

if __name__ == "__main__":
    main()
