"""How the service is set up, and the limits it keeps."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one service takes at most: the rest is refused with a 4xx or 503, never queued without bound.

    ``body_seconds``: from the head of a request to the end of its body. ``upload_pixels`` holds for pictures that are
    sent, and so does the decoder's own limit of time; ``uploads`` of them are remembered.
    ``rate`` and ``burst`` are requests a second and at once, for each address.
    """

    upload_bytes: int = 40_000_000
    upload_pixels: int = 60_000_000
    uploads: int = 64
    body_bytes: int = 1_000_000
    body_seconds: float = 60.0
    connections: int = 512
    waiting: int = 256
    rate: float = 500.0
    burst: int = 2_000
    thumbnails_bytes: int = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Config:
    """What is served, and to whom.

    ``folders``: only photos in or below these are shown; none: the whole catalogue. ``encoders``: names as for
    ``registry.load_encoder``, the first is the default. ``token``: what requests must carry; ``None``: nothing.
    ``store``: the place of a store whose photos are served, in place of the catalogue's.
    ``ahead``: thumbnails are made while nobody asks for anything.
    """

    folders: tuple[Path, ...] = ()
    catalog: Path | None = None
    encoders: tuple[str, ...] = ("mini",)
    reports: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    names: tuple[str, ...] = ()
    threads: int = 2
    store: str | None = None
    ahead: bool = True
    limits: Limits = field(default_factory=Limits)

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a request may call this machine by: others are another site's (DNS rebinding)."""
        named = {name.lower() for name in (self.host, *self.names)} - {"0.0.0.0", "::"}  # noqa: S104  # no names
        return frozenset((*LOOPBACK_NAMES, *named))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """Return a token nobody can guess: 256 bits."""
    return secrets.token_urlsafe(32)
