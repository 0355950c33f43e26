"""Builds the shipped model from the named inputs, stage by stage.

    python -m training.train --data ../shared/data --work DIR --out src/wordsight/models/mini

A stage whose output with the same configuration is in the work folder is not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import torch

from training.recipe import Config, DistilPlan, Inputs, build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the development data")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="Debian's wordnet-base")
    parser.add_argument("--work", type=Path, required=True, help="caches and checkpoints, outside the checkout")
    parser.add_argument("--out", type=Path, default=Path("src/wordsight/models/mini"))
    parser.add_argument("--threads", type=int, default=2, help="1 is faster when others use the machine too")
    parser.add_argument("--distil", action="store_true", help="then draw both towers to lite2 (LOG.md 10)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    inputs = Inputs.load(arguments.data, arguments.wordnet, arguments.work)
    config = Config(distil=DistilPlan()) if arguments.distil else Config()
    print(json.dumps(build(config, inputs, arguments.out), indent=1))


if __name__ == "__main__":
    main()
