"""What is said where the parts that stores and clusters need are not installed; addresses that are URLs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wordsight.library import Filters
from wordsight.types import Address

BLOCKED = (
    "import sys; sys.modules[{name!r}] = None; sys.argv = ['wordsight', *{words!r}]\n"
    "from wordsight.cli import main; main()"
)


def without(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = BLOCKED.format(name=name, words=words)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize(
    "words",
    [
        ("index", ".", "--store", "s"),
        ("search", "red", "--store", "s"),
        ("export", "s"),
        ("import", "s"),
        ("compact", "s"),
    ],
)
def test_a_missing_part_is_named_with_what_to_install(words: tuple[str, ...]) -> None:
    done = without("lance", *words)
    assert done.returncode == 2
    assert done.stderr == 'wordsight: a store needs an optional part: pip install "wordsight[scale]"\n'


def test_ray_is_named_too(tmp_path: Path) -> None:
    pytest.importorskip("lance", reason='needs the extra "scale"')
    done = without("ray", "index", ".", "--store", str(tmp_path / "s"), "--runner", "ray")
    assert done.returncode == 2
    assert 'pip install "wordsight[ray]"' in done.stderr


def test_nothing_of_stores_is_loaded_before_one_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['wordsight', 'search', 'red']; from wordsight import cli; cli.run();"
        "print([name for name in ('lance', 'pyarrow', 'ray', 'fsspec', 'wordsight.scale') if name in sys.modules])"
    )
    environment = os.environ | {"WORDSIGHT_ENCODER": "colours"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout == "[]\n"


def test_addresses_keep_their_two_slashes() -> None:
    photo = Address("s3://bucket/trip/a photo.jpg")
    assert str(photo) == os.fsdecode(os.fsencode(photo)) == "s3://bucket/trip/a photo.jpg"
    assert photo.is_absolute()
    assert str(photo.parent / "b.jpg") == "s3://bucket/trip/b.jpg"
    assert photo.is_relative_to(Address("s3://bucket"))
    assert (photo.name, photo.suffix, str(photo.absolute()), photo.as_uri()) == (photo.name, ".jpg", *[str(photo)] * 2)
    assert photo == Address(str(photo))
    here = Address("photos/a.jpg")
    assert (str(here), here.is_url, here.is_absolute()) == ("photos/a.jpg", False, False)
    assert str(here.absolute()) == os.path.abspath("photos/a.jpg")
    assert here.absolute().as_uri().startswith("file:///")


def test_filters_take_urls_as_folders() -> None:
    assert [str(folder) for folder in Filters.read(under=["s3://bucket/trip"]).under] == ["s3://bucket/trip"]
