"""Builds the shipped models from the named inputs, stage by stage.

    python -m training.train --data ../shared/data --work DIR --out src/wordsight/models

A stage whose output with the same configuration is in the work folder is not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path

import torch

from training.distil_stages import DistilPlan
from training.inputs import Inputs
from training.recipe import CONFIGS, build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the development data")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="Debian's wordnet-base")
    parser.add_argument("--work", type=Path, required=True, help="caches and checkpoints, outside the checkout")
    parser.add_argument("--out", type=Path, default=Path("src/wordsight/models"), help="where each gets its folder")
    parser.add_argument("--models", nargs="+", choices=CONFIGS, default=list(CONFIGS), help="midi needs mini beside it")
    parser.add_argument("--threads", type=int, default=2, help="1 is faster when others use the machine too")
    parser.add_argument("--distil", action="store_true", help="draw mini's towers to lite2, too (LOG.md 10)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    inputs = Inputs.load(arguments.data, arguments.wordnet, arguments.work)
    for name in arguments.models:
        config = CONFIGS[name]
        if arguments.distil and name == "mini":
            config = replace(config, distil=DistilPlan())
        print(json.dumps({name: build(config, inputs, arguments.out)}, indent=1))


if __name__ == "__main__":
    main()
