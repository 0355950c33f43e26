"""Files that claim to be pictures and are none, cost too much, or lie; and odd ones that can be read all the same.

None is taken from elsewhere: they are made here, by name, so that a failure says which one it was.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

from PIL import Image, PngImagePlugin
from web_server import picture

_MARK = b"\x89PNG\r\n\x1a\n"
_HTML = b"<html><script>alert(document.cookie)</script></html>"
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "PCX", "SGI", "ICO", "JPEG2000", "DDS", "AVIF")


def refused() -> dict[str, bytes]:
    """Return what must be refused, by name."""
    return {**_no_pictures(), **_bombs(), **_lies(), **_cut(), **_polyglots()}


def readable() -> dict[str, bytes]:
    """Return what looks suspicious and is a picture: it is taken, and what is shown of it is drawn anew."""
    png, jpeg = picture("red", "blue"), picture("red", "blue", format="JPEG", quality=90)
    return {
        "PNG with a page behind it": png + _HTML,
        "JPEG with a page behind it": jpeg + _HTML,
        "JPEG with an archive behind it": jpeg + _archive(),
        "GIF with a script in a comment": picture("red", "blue", format="GIF", comment=_HTML),
        "JPEG with a script in a comment": picture("red", "blue", format="JPEG", comment=_HTML),
        "PNG with a script in its text": _png_with_text("alert", "<script>alert(1)</script>"),
        "PNG under a private chunk": png[:33] + _chunk(b"prVt", _HTML) + png[33:],
        "GIF of a thousand frames": _frames(1_000),
        "thin as a thread": _saved(Image.new("RGB", (8_000, 1), "red")),
        "one pixel": _saved(Image.new("RGB", (1, 1), "red")),
        "BMP upside down": _upside_down(),
        "EXIF that is none": picture("red", "blue", format="JPEG", exif=b"Exif\0\0" + b"\xff" * 200),
        "XMP with an outer entity": jpeg[:2] + _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + _entity()) + jpeg[2:],
        "a colour profile that is none": picture("red", "blue", icc_profile=b"\xff" * 500),
    }


def _no_pictures() -> dict[str, bytes]:
    return {
        "nothing": b"",
        "one byte": b"\xff",
        "zeros": b"\0" * 1_000,
        "noise": bytes((n * 7919 + n * n * 31) % 256 for n in range(3_000)),
        "text": b"a photo of a dog\n" * 50,
        "a page": _HTML,
        "a vector picture with a script": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "a vector picture that loads": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "a packed vector picture": gzip.compress(b"<svg xmlns='http://www.w3.org/2000/svg'/>", mtime=0),
        "an outer entity": _entity(),
        "laughs": b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '" + b"&a;" * 999 + b"'>]><l>&b;</l>",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) (r) file\n",
        "PostScript in a DOS head": b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, 60, 0, 0, 0, 0) + b"%!PS-Adobe-3.0\n",
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction 2 0 R>>endobj\n",
        "an archive": _archive(),
        "a packed bomb": gzip.compress(b"\0" * 5_000_000, mtime=0),
        "a program": b"\x7fELF\x02\x01\x01" + b"\0" * 200,
        "a program for another system": b"MZ" + b"\x90\0" * 200,
        "a script": b"#!/bin/sh\nid\n",
        "a pickle": b"cos\nsystem\n(S'id'\ntR.",
        "JSON": b'{"q": "dog"}',
        "a database": b"SQLite format 3\0" + b"\0" * 200,
        "a film": struct.pack(">I", 24) + b"ftypmp42" + b"\0" * 200,
        "a picture in base64": b"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAA",
        "a Windows metafile": b"\xd7\xcd\xc6\x9a" + b"\0" * 200,
        "an enhanced metafile": struct.pack("<II", 1, 88) + b"\0" * 32 + b" EMF" + b"\0" * 100,
        "a font": b"wOF2" + b"\0" * 100,
        "a table of weather": b"GRIB" + b"\0" * 100,
        "a science container": b"\x89HDF\r\n\x1a\n" + b"\0" * 200,
        "a form": b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\n" + picture("red") + b"\r\n--x--\r\n",
    }


def _bombs() -> dict[str, bytes]:
    """Small files that claim, or hold, more than is looked at."""
    huge, zeros = 2**31 - 1, zlib.compress(b"\0" * 1_000_000)
    whole = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(whole, "PNG")
    packed = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(packed, "TIFF", compression="group4")
    gif = picture("red", format="GIF")
    webp_size = (16_383).to_bytes(2, "little") * 2
    jpeg = picture("red", "blue", format="JPEG")
    frame = jpeg.index(b"\xff\xc0")
    return {
        "PNG of 10 gigapixels": _png(100_000, 100_000, zlib.compress(b"\0" * 100_000)),
        "PNG of 3.6 gigapixels": _png(60_000, 60_000, zeros),
        "PNG of all the pixels there are": _png(huge, huge),
        "PNG as wide as can be": _png(huge, 1, zeros),
        "PNG as high as can be": _png(1, huge, zeros),
        "PNG just over the limit": _png(7_747, 7_747, zeros),
        "PNG that is really that large": whole.getvalue(),
        "TIFF that is really that large": packed.getvalue(),
        "PNG in sixteen bits": _png(40_000, 40_000, zeros, depth=16),
        "PNG interlaced": _png(40_000, 40_000, zeros, interlace=1),
        "PPM of 10 gigapixels": b"P6 99999 99999 255 ",
        "PPM of a line of nines": b"P6 " + b"9" * 400 + b" 1 255 ",
        "PGM after a long comment": b"P5\n" + b"#" * 100_000 + b"\n1 1 255\n",
        "PBM of all pixels": b"P4 2147483647 2147483647\n",
        "PFM of all pixels": b"PF\n2147483647 2147483647\n-1.0\n",
        "BMP of all pixels": _bmp(huge, huge),
        "BMP of all pixels upside down": _bmp(huge, -huge),
        "BMP packed": _bmp(60_000, 60_000, bits=8, packing=1),
        "GIF of 4 gigapixels": gif[:6] + b"\xff" * 4 + gif[10:],
        "TIFF of 4 gigapixels": _tiff({256: 65_535, 257: 65_535}),
        "TIFF of 4 gigapixels in one packed strip": _tiff({256: 65_535, 257: 65_535, 259: 8}),
        "WebP of 268 megapixels": b"RIFF"
        + struct.pack("<I", 30)
        + b"WEBPVP8 "
        + struct.pack("<I", 18)
        + b"\x10\0\0\x9d\x01\x2a"
        + webp_size
        + b"\0" * 8,
        "JPEG of 4 gigapixels": jpeg[: frame + 5] + b"\xff\xdc\xff\xdc" + jpeg[frame + 9 :],
        "PSD of 900 megapixels": b"8BPS\0\x01"
        + b"\0" * 6
        + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3)
        + b"\0" * 16,
        "JPEG 2000 of all pixels": b"\xff\x4f\xff\x51"
        + struct.pack(">HH8I", 47, 0, huge, huge, 0, 0, huge, huge, 0, 0)
        + struct.pack(">H", 3)
        + b"\x07\x01\x01" * 3
        + b"\0" * 50,
        "TGA of 4 gigapixels": b"\0\0\x0a" + b"\0" * 9 + b"\xff\xff\xff\xff\x18\0" + b"\0" * 50,
        "QOI of all pixels": b"qoif" + struct.pack(">II", huge, huge) + b"\x03\0" + b"\0" * 30,
        "SGI of 4 gigapixels": b"\x01\xda\x01\x01\0\x03" + b"\xff\xff\xff\xff\0\x03" + b"\0" * 500,
        "PCX of 4 gigapixels": b"\x0a\x05\x01\x08" + b"\0" * 4 + b"\xff\xff\xff\xff" + b"\0" * 116,
        "a progressive JPEG of a thousand passes": _passes(1_000),
        "PNG whose text unpacks without end": _png_with_text("bomb", "\0" * 5_000_000, packed=True),
    }


def _lies() -> dict[str, bytes]:
    """Heads that say what is not so."""
    zeros = zlib.compress(b"\0" * 3_100)
    jpeg = picture("red", "blue", format="JPEG")
    png, gif, webp = (picture("red", "blue", format=kind) for kind in ("PNG", "GIF", "WEBP"))
    return {
        "PNG of no pixels": _png(0, 0),
        "PNG of no width": _png(0, 100),
        "PNG without data": _png(32, 32),
        "PNG with half its data": _png(32, 32, zlib.compress(b"\0" * 1_500)),
        "PNG whose data is text": _png(32, 32, _HTML),
        "PNG of seven bits": _png(32, 32, zeros, depth=7),
        "PNG of a colour there is not": _png(32, 32, zeros, colour=5),
        "PNG woven in a way there is not": _png(32, 32, zeros, interlace=9),
        "PNG with a sum that is wrong": png[:29] + b"\0\0\0\0" + png[33:],
        "PNG whose chunk is longer than the file": _MARK + b"\x7f\xff\xff\xffIHDR" + png[16:],
        "PNG without a head": _MARK + png[33:],
        "PNG with a short head": _MARK + _chunk(b"IHDR", b"\0\0\0\x01") + png[33:],
        "PNG after line ends were changed": png.replace(b"\r\n", b"\n"),
        "PNG and no more": _MARK,
        "JPEG without a frame": jpeg[: jpeg.index(b"\xff\xc0")] + jpeg[jpeg.index(b"\xff\xc4") :],
        "JPEG without tables": jpeg[:2] + jpeg[jpeg.index(b"\xff\xc0") :].replace(b"\xff\xc4", b"\xff\xfe"),
        "JPEG of no height": _frame(jpeg, b"\0\0\0\x20"),
        "JPEG of 255 colours": jpeg.replace(b"\x08\0\x20\0\x20\x03", b"\x08\0\x20\0\x20\xff"),
        "JPEG of nothing": b"\xff\xd8\xff\xd9",
        "JPEG of markers": b"\xff\xd8" + b"\xff\xe0\0\x02" * 5_000,
        "JPEG with a table of no length": b"\xff\xd8\xff\xdb\0\0" + jpeg[20:],
        "GIF and no more": b"GIF89a",
        "GIF without a picture": gif[:13] + b"\0" * 6 + b";",
        "GIF of codes there are not": gif[: gif.index(b",", 13) + 10] + b"\xff" * 200,
        "BMP of seven bits": _bmp(32, 32, bits=7),
        "BMP with a head of no length": b"BM" + struct.pack("<IHHII", 54, 0, 0, 54, 0) + b"\0" * 200,
        "BMP whose pixels lie beyond": _bmp(32, 32, start=2**31),
        "TIFF that leads nowhere": b"II*\0\xff\xff\xff\x7f",
        "TIFF of nonsense": b"II*\0\x08\0\0\0" + b"\xff" * 200,
        "TIFF that bites its tail": _tiff({256: 32, 257: 32}, follows=8),
        "TIFF whose strips lie beyond": _tiff({256: 32, 257: 32, 273: 2**30, 279: 2**30}),
        "TIFF of no pixels": _tiff({256: 0, 257: 0}),
        "WebP of a length that is wrong": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        "WebP without a picture": webp[:12] + b"JUNK" + struct.pack("<I", 4) + b"\0" * 4,
        "WebP of another kind": b"RIFF" + webp[4:8] + b"WAVE" + webp[12:],
        "ICO of a picture beyond": struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, 2**31 - 1, 2**31 - 1),
        "ICO of no pictures": b"\0\0\x01\0\0\0",
        "AVIF without a picture": struct.pack(">I", 28) + b"ftypavif\0\0\0\0avifmif1miaf",
        "HEIC without a picture": struct.pack(">I", 24) + b"ftypheic\0\0\0\0heicmif1",
        "DNG without a picture": _tiff({50706: 0x04010000}),
        "PPM of letters": b"P6 a b 255 ",
        "PPM of no bytes": b"P6 32 32 255 ",
        "DDS of nonsense": b"DDS " + b"\xff" * 200,
    }


def _cut() -> dict[str, bytes]:
    """Pictures that end in their heads, and in the middle."""
    cases = {}
    for kind in _FORMATS:
        whole = picture("red", "blue", format=kind)
        for share in (0.02, 0.5):
            cases[f"{kind} cut off after {share:.0%}"] = whole[: max(3, int(len(whole) * share))]
    return cases


def _polyglots() -> dict[str, bytes]:
    """Heads of pictures before something else."""
    php = b"<?php system($_GET['c']); ?>"
    jpeg = picture("red", format="JPEG")
    return {
        "a GIF that is a script": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//",
        "a GIF that is a page": b"GIF89a" + _HTML * 20,
        "a PNG that is a page": _MARK + _HTML * 20,
        "a JPEG that is a page": b"\xff\xd8\xff\xe0" + _HTML * 20,
        "a JPEG that is a program": b"\xff\xd8\xff\xdb" + php * 20,
        "a BMP that is a script": b"BM/*" + b"\0" * 60 + b"*/=1;alert(1)//",
        "a WebP that is a page": b"RIFF" + struct.pack("<I", 1_000) + b"WEBP" + _HTML * 20,
        "a TIFF that is a page": b"MM\0*" + _HTML * 20,
        "a PDF before a picture": b"%PDF-1.7\n" + jpeg,
        "a page before a picture": _HTML + jpeg,
        "an archive before a picture": _archive() + jpeg,
        "a byte order mark before a picture": b"\xef\xbb\xbf" + jpeg,
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, data: bytes = b"", *, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return _MARK + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _bmp(width: int, height: int, *, bits: int = 24, packing: int = 0, start: int = 54) -> bytes:
    head = struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, start, 40, width, height, 1, bits, packing, 0, 0, 0, 0, 0)
    return b"BM" + head + b"\0" * 100


def _tiff(tags: dict[int, int], *, follows: int = 0) -> bytes:
    """One directory of whole numbers, with what a picture needs beside them."""
    common = {258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 65_535, 279: 100}
    entries = sorted({**common, **tags}.items())
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + struct.pack("<I", follows)


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _frame(jpeg: bytes, size: bytes) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + size + jpeg[at + 4 :]


def _passes(count: int) -> bytes:
    """A progressive JPEG of 49 megapixels whose last pass is there many times."""
    small = picture("red", "blue", format="JPEG", progressive=True)
    last = small.rindex(b"\xff\xda")
    frame = small.index(b"\xff\xc2") + 5
    large = small[:frame] + struct.pack(">HH", 7_000, 7_000) + small[frame + 4 : last]
    return large + small[last:-2] * count + b"\xff\xd9"


def _png_with_text(key: str, text: str, *, packed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text, zip=packed)
    return picture("red", "blue", pnginfo=info)


def _entity() -> bytes:
    return b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"


def _archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../etc/cron.d/x", "* * * * * root id\n")
    return stream.getvalue()


def _saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _frames(count: int) -> bytes:
    colours = [Image.new("P", (8, 8), at % 250) for at in range(count)]
    return _saved(colours[0], "GIF", save_all=True, append_images=colours[1:], optimize=False)


def _upside_down() -> bytes:
    bmp = bytearray(picture("red", "blue", format="BMP"))
    (height,) = struct.unpack_from("<i", bmp, 22)
    struct.pack_into("<i", bmp, 22, -height)
    return bytes(bmp)
