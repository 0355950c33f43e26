"""Fuzzes one target in this process: ``python -m fuzz.child TARGET --findings DIR CORPUS [libFuzzer's options]``.

An exception that is a finding is written down once for each place it comes from, and fuzzing goes on; a crash or a
hang ends the process, and libFuzzer keeps the input.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import traceback
import warnings
from pathlib import Path

import atheris

_LIMIT = 2_048  # MiB


def place_of(error: BaseException) -> str:
    """Return what kind of exception it is, and the line of wordsight (or else of anything) that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "wordsight" in frame.filename and "fuzz" not in Path(frame.filename).parts]
    frame = (ours or frames)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.name}"


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    name, findings, *options = sys.argv[1:]
    kept = Path(findings)
    kept.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    logging.disable()
    with atheris.instrument_imports(include=_modules(name), enable_loader_override=False):
        from fuzz.targets import TARGETS
    target = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            target(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            place = place_of(error)
            file = kept / hashlib.sha256(place.encode()).hexdigest()[:12]
            if not file.exists():
                file.write_bytes(data)
                told = "".join(traceback.format_exception(error))
                file.with_suffix(".json").write_text(json.dumps({"place": place, "told": told}))
                print(f"FINDING {place}", file=sys.stderr, flush=True)

    more = [f"-max_len={target.most}", f"-rss_limit_mb={_LIMIT}", "-timeout=20", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *more], one)
    atheris.Fuzz()


def _modules(name: str) -> list[str]:
    """Return the modules to instrument; read from the source, since importing the targets would import them."""
    import ast

    for file in sorted(Path(__file__).parent.glob("targets_*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            is_target = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Target"
            if is_target and ast.literal_eval(node.args[0]) == name:
                return list(ast.literal_eval(node.args[4]))
    raise SystemExit(f"no target is called {name!r}")


if __name__ == "__main__":
    main()
