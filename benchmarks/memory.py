"""Peak memory of indexing a folder, against that of a folder a tenth its size."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks import photos
from benchmarks.process import Command, Sample, measure, wordsight
from benchmarks.report import Bar, Result
from benchmarks.settings import Settings

SIZE = (320, 240)
_PICTURES = 2_000


def run(settings: Settings) -> Result:
    """Index the small folder, then the large one, each in a fresh process."""
    result = Result("memory", "Peak memory while indexing")
    peaks = {}
    for count in (settings.files // 10, settings.files):
        sample = fresh_index(settings, count)
        peaks[count] = sample.peak_rss_mb
        rate = float(str(sample.last_json()["encoded"])) / sample.wall_s
        result.add(f"indexing {count:,} files: peak memory", sample.peak_rss_mb, "MiB")
        result.add(f"indexing {count:,} files: rate", rate, "images/s")
    small, large = peaks.values()
    result.add(f"{settings.files:,} files / {settings.files // 10:,} files", large / small, "x", Bar("<", 1.2))
    result.setting = {
        "encoder": settings.encoder_name,
        "files": f"JPEG {SIZE[0]}x{SIZE[1]}; {_PICTURES:,} different pictures, the others differ by a comment",
        "measure": "ru_maxrss of the process",
    }
    result.raw["peak_rss_mb"] = peaks
    return result


def folder_of(settings: Settings, count: int) -> Path:
    """Return a folder of so many small photos."""
    return photos.make(settings.work / f"photos-320-{count}", count, SIZE, pictures=_PICTURES)


def catalogue_of(settings: Settings, count: int) -> Path:
    """Return where the catalogue of that folder is, or will be."""
    return settings.work / f"catalogue-photos-{count}"


def fresh_index(settings: Settings, count: int) -> Sample:
    """Index the folder of so many photos from nothing; the catalogue stays for the next benchmark."""
    folder, catalogue = folder_of(settings, count), catalogue_of(settings, count)
    shutil.rmtree(catalogue, ignore_errors=True)
    words = wordsight("index", str(folder), "--encoder", settings.encoder, "--catalog", str(catalogue), "--json", "-q")
    (sample,) = measure([Command(words)])
    if sample.last_json()["encoded"] != count:
        raise RuntimeError(f"expected {count} pictures to be encoded, got {sample.stdout}")
    return sample
