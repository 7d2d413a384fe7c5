"""Reading from the web without being led astray: fsspec's http(s) file system with a guard at each connection.

A URL is what a user, a manifest or another server's redirect says. So each hop's URL is looked at before it is sent,
and each address when its socket is made: after names are resolved, and the very one that is connected to. What comes
back is bounded in bytes and in time, and asked for again where only the network failed. Imported when a web address is
met.
"""

import asyncio
import socket
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
from fsspec.asyn import sync, sync_wrapper
from fsspec.implementations.http import HTTPFile, HTTPFileSystem, HTTPStreamFile
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from core.errors import NotAllowedError
from workers.access import Access
from workers.urls import refusal

NUM_ATTEMPTS = 4
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 3.0
_CONNECT_TIMEOUT_S = 5.0
_SILENCE_TIMEOUT_S = 10.0  # between two pieces of an answer
# One request of a file that is read in blocks, or as a stream.
_REQUEST_TIMEOUT_S = 60.0
_NOT_FOUND = frozenset({404, 410})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_PARTIAL, _NOTHING_THERE = 206, 416

# IPv4 addresses as an IPv6-only network shows them. Source: RFC 6052.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether an address belongs to the internet, rather than to this machine, its neighbours or a cloud's inside."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


class GuardedFileSystem(HTTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """http(s) as fsspec has it, within what may be reached.

    Args:
        access: what may be.
    """

    def __init__(self, access: Access, **options: Any) -> None:  # noqa: ANN401 - fsspec's own
        super().__init__(get_client=partial(_open_session, access), **options)
        self._access = access

    async def _info(self, url: str, **_: object) -> dict[str, Any]:
        """Look what is there; fsspec takes any failure for a missing file."""
        return await _retrying()(self._info_once, url)

    async def _info_once(self, url: str) -> dict[str, Any]:
        try:
            return await super()._info(url)  # type: ignore[no-any-return]
        except FileNotFoundError as error:
            cause = error.__cause__
            if cause is None or getattr(cause, "status", None) in _NOT_FOUND:
                raise
        # Out of the block, or the cause's context would lead back to itself.
        raise cause

    async def _fetch(self, url: str, start: int, num_bytes: int) -> bytes:
        """Read a part of a resource, fewer bytes where it ends, in bounded memory and time."""
        timeout_s = self._access.url_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await _retrying()(self._fetch_once, url, start, num_bytes)
        except TimeoutError as error:
            raise ConnectionError(
                f"it did not arrive within {timeout_s:g} seconds (LABELYARD_URL_TIMEOUT_S)"
            ) from error

    async def _fetch_once(self, url: str, start: int, num_bytes: int) -> bytes:
        headers = {"Range": f"bytes={start}-{start + num_bytes - 1}"} if start else {}
        session = await self.set_session()
        async with session.get(self.encode_url(url), headers=headers) as response:
            if response.status == _NOTHING_THERE:
                return b""
            self._raise_not_found_for_status(response, url)
            # Many servers answer with the whole, whatever part they are asked for.
            num_surplus = 0 if response.status == _PARTIAL else start
            return await _read_part(response.content, num_surplus, num_bytes)

    fetch = sync_wrapper(_fetch)

    async def _cat_file(self, url: str, start: int | None = None, end: int | None = None, **_: object) -> bytes:
        if start is None or end is None:
            raise ValueError("a part of a web resource has a start and an end")
        return await self._fetch(url, start, end - start)

    def _open(self, path: str, mode: str = "rb", **_: object) -> Any:  # noqa: ANN401 - a file of fsspec's
        info = self.info(path)
        session = sync(self.loop, self.set_session)
        if info["size"] and info.get("partial", True):
            return _GuardedFile(
                self, path, session=session, block_size=self.block_size, size=info["size"], loop=self.loop
            )
        return HTTPStreamFile(self, path, mode=mode, loop=self.loop, session=session)


class _GuardedFile(HTTPFile):  # type: ignore[misc]  # as above
    """A web resource that is read in blocks."""

    async def async_fetch_range(self, start: int, end: int) -> bytes:
        """Read a block."""
        return await self.fs._fetch(self.url, start, end - start)  # type: ignore[no-any-return]  # noqa: SLF001 - ours

    _fetch_range = sync_wrapper(async_fetch_range)


async def _open_session(access: Access, **_: object) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=partial(_make_socket, access)),
        middlewares=(partial(_require_hop, access),),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A length says nothing of what was packed, and what is packed may be far longer.
        headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(
            total=_REQUEST_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S, sock_read=_SILENCE_TIMEOUT_S
        ),
    )


async def _require_hop(
    access: Access, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Look at a URL before it is sent, that of a redirect too."""
    access.require(str(request.url))
    return await handler(request)


def _make_socket(access: Access, info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for an address that a name was resolved to, or that stood in the URL."""
    family, kind, protocol, _, address = info
    if not access.allow_private_hosts and not is_public(address[0]):
        # The same words for each address of a host: aiohttp joins errors that differ, and loses what they were.
        raise NotAllowedError(
            "the address is this machine's, private or link-local, which is refused. Where that is meant, set "
            "LABELYARD_ALLOW_PRIVATE_HOSTS=true"
        )
    return socket.socket(family, kind, protocol)


async def _read_part(content: aiohttp.StreamReader, num_surplus: int, num_bytes: int) -> bytes:
    part = bytearray()
    while len(part) < num_bytes and (piece := await content.readany()):
        part += piece[num_surplus:]
        num_surplus = max(0, num_surplus - len(piece))
    return bytes(part[:num_bytes])


def _retrying() -> AsyncRetrying:
    return AsyncRetrying(
        stop=stop_after_attempt(NUM_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S, jitter=_FIRST_WAIT_S),
        retry=retry_if_exception(_is_transient),
        reraise=True,
    )


def _is_transient(error: BaseException) -> bool:
    """Whether asking again may help."""
    if refusal(error) is not None:
        return False
    match error:
        case aiohttp.ClientResponseError():
            return error.status in _TRANSIENT
        case aiohttp.InvalidURL() | aiohttp.ClientConnectorCertificateError() | FileNotFoundError():
            return False
    return isinstance(error, (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError))
