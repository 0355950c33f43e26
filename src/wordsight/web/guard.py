"""What every request must pass before a route sees it, and the headers every answer carries.

In this order: the name the client calls this machine by (DNS rebinding), where the request comes from (forged requests
of other sites), the token, the rate, the size. Plain ASGI, so that files and event streams pass through untouched.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from math import ceil
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wordsight.web.config import Config

COOKIE = "wordsight"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""For the page and everything else: only what this server itself sends is run, shown or asked."""

REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
"""For reports, which hold their own scripts: those run in a sandbox without origin that can ask nobody for anything."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_CLOSE = {"connection": "close"}
_ADDRESSES = 10_000
_FAILURES = 10  # wrong tokens at once from one address, and one more each second


class Refused(Exception):  # noqa: N818
    """A request that goes no further: ``status`` and what the client is told."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, config: Config) -> None:
        self._app = app
        self._config = config
        self._rate = Buckets(config.limits.rate, config.limits.burst)
        self._failures = Buckets(1.0, _FAILURES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no web sockets here

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message))
            await send(message)

        try:
            if await self._signs_in(scope, receive, with_headers):
                return
            self._check(scope)
            body = _limited(receive, self._most(scope), self._config.limits.body_seconds)
            await self._app(scope, body, with_headers)
        except Refused as refusal:
            await _answer(refusal, with_headers)

    def _most(self, scope: Scope) -> int:
        limits = self._config.limits
        return limits.upload_bytes if scope["path"] == "/api/uploads" else limits.body_bytes

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        _check_host(headers, self._config)
        _check_origin(scope, headers)
        if self._config.token is not None and scope["path"] != "/health/live":
            self._check_token(scope, headers, self._config.token)
        if (wait := self._rate.wait(_address(scope))) > 0:
            raise Refused(429, "too many requests: slow down", {"retry-after": str(ceil(wait))})
        if "content-length" in headers and "transfer-encoding" in headers:
            raise Refused(400, "a body has either a length or an end that is told, not both", _CLOSE)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most(scope):
            raise Refused(413, f"too large: at most {self._most(scope):,} bytes are taken here")

    def _check_token(self, scope: Scope, headers: Headers, token: str) -> None:
        given = _given_token(headers)
        if given is None:
            raise Refused(401, "this server asks for its token", {"www-authenticate": "Bearer"})
        if not _same(given, token):
            self._failed(scope)

    def _failed(self, scope: Scope) -> None:
        if self._failures.wait(_address(scope)) > 0:
            raise Refused(429, "too many wrong tokens: wait", {"retry-after": "10"})
        raise Refused(401, "this is not the token of this server", {"www-authenticate": "Bearer"})

    async def _signs_in(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Take the token of the address that was printed, once, into a cookie: it does not stay in the address."""
        token = self._config.token
        if token is None or scope["path"] != "/" or b"token=" not in scope["query_string"]:
            return False
        _check_host(Headers(scope=scope), self._config)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        if not _same(given, token):
            self._failed(scope)
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", max_age=30 * 86_400)
        await response(scope, receive, send)
        return True


class Buckets:
    """Counts what each address may still ask: ``rate`` a second, ``burst`` at once. Remembers 10,000 addresses."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float | None = None) -> float:
        """Return 0 and count one, or the seconds after which the next is allowed."""
        now = time.monotonic() if now is None else now
        left, since = self._left.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate


def _check_host(headers: Headers, config: Config) -> None:
    hosts = headers.getlist("host")
    name = _host_name(hosts[0]) if len(hosts) == 1 else None
    if name is None or (name not in config.hosts):
        raise Refused(421, f"this server answers to {', '.join(sorted(config.hosts))}: add others with --allow-host")


def _host_name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host and not parts.path else None


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Refuse what another site makes a browser send: it tells so in one of two headers."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    own = f"{scope['scheme']}://{headers['host']}".lower()
    foreign = (origin is not None and origin.lower() != own) or site in ("cross-site", "same-site")
    # A link on another page may lead here; a picture, script or form there may not.
    is_link = scope["method"] in _SAFE and headers.get("sec-fetch-mode") == "navigate" and origin is None
    if foreign and not (is_link and headers.get("sec-fetch-dest") == "document"):
        raise Refused(403, "this request comes from another site")


def _given_token(headers: Headers) -> str | None:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _limited(receive: Receive, most: int, seconds: float) -> Receive:
    """Count the body as it comes, and the time it takes: a length that was not told, or was a lie, does not help."""
    taken, complete, end = 0, False, time.monotonic() + seconds

    async def counted() -> Message:
        nonlocal taken, complete
        if complete:  # who asks now waits for the client to go away
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), end - time.monotonic())
        except TimeoutError:
            raise Refused(408, f"the request's body took more than {seconds:g} seconds", _CLOSE) from None
        if message["type"] == "http.request":
            complete = not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > most:
                raise Refused(413, f"too large: at most {most:,} bytes are taken here")
        return message

    return counted


def _complete(headers: MutableHeaders) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("content-security-policy", PAGE_POLICY)
    headers.setdefault("cache-control", "no-cache" if "etag" in headers else "no-store")
    if headers["content-security-policy"] == REPORT_POLICY:
        headers["x-frame-options"] = "SAMEORIGIN"


async def _answer(refusal: Refused, send: Send) -> None:
    body = json.dumps({"detail": refusal.detail}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
