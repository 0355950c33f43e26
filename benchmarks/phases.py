"""What a search consists of, step by step in one fresh process: ``python -m benchmarks.phases`` prints milliseconds."""

import json
import sys
import time

_START = time.perf_counter()


def main(catalog: str, encoder_name: str) -> dict[str, float]:
    """Do what ``wordsight search "a dog" -f`` does, with a clock after each step."""
    found: dict[str, float] = {}
    last = _START

    def step(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        found[name] = (now - last) * 1e3
        last = now

    import typer

    from wordsight.cli.app import build

    typer.main.get_command(build(["search"]))
    step("import the command line (typer)")
    import numpy  # noqa: F401

    step("import numpy")
    from pathlib import Path

    from wordsight.library import Library, derived, parse
    from wordsight.library.query_vectors import query_vector
    from wordsight.library.search import Searcher
    from wordsight.machine import cores
    from wordsight.registry import load_encoder

    step("import the library (Pillow, numkong, sqlite3)")
    encoder = load_encoder(encoder_name)
    step("find the encoder, read its manifest")
    import onnxruntime  # noqa: F401

    step("import onnxruntime")
    import tokenizers  # noqa: F401

    step("import tokenizers")
    query = parse(["a dog"])
    vector, _ = query_vector(encoder, query)
    step("verify and open the text tower, encode the query")
    query_vector(encoder, query)
    step("(encode the query once more)")
    library = Library(encoder, Path(catalog), threads=cores())
    stored = library.catalogue.encoder_row(encoder)
    step("open the catalogue")
    index = derived.open_index(library.catalogue, stored, threads=cores())
    step("open the index")
    index.search(vector[None], 10)
    step("search, first touch")
    index.search(vector[None], 10)
    step("(search once more)")
    searcher = Searcher(library.catalogue, encoder, threads=cores())
    last = time.perf_counter()
    searcher.search(query)
    step("(whole search in a running process)")
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
