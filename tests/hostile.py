"""Requests that no well-meaning client sends, byte by byte: one table, held against every door of every server."""

import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

SECONDS_MAX: Final = 15.0
"""Longest that a server may leave any of these without an answer and without an end."""

_AT_ONCE: Final = 8
_ASKING_FIRST: Final = 100
_DROP_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Door:
    """A request that is taken, to be spoiled."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def request(
        self,
        *lines: bytes,
        method: bytes | None = None,
        target: bytes | None = None,
        version: bytes = b"HTTP/1.1",
        host: bytes = b"Host: cercles",
        framing: bytes | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """Return the request with further lines in its head, or with a part of it replaced."""
        content = self.body if body is None else body
        head = [
            b" ".join((method or self.method.encode(), target or self.path.encode(), version)),
            host,
            *(f"{name}: {value}".encode() for name, value in self.headers.items()),
            f"Content-Length: {len(content)}".encode() if framing is None else framing,
            *lines,
        ]
        return b"\r\n".join(line for line in head if line) + b"\r\n\r\n" + content


Row = Callable[[Door], bytes]


def _method(name: bytes) -> Row:
    return lambda door: door.request(method=name)


def _target(change: Callable[[bytes], bytes]) -> Row:
    return lambda door: door.request(target=change(door.path.encode()))


def _query(query: bytes) -> Row:
    return lambda door: door.request(target=door.path.encode() + b"?" + query)


def _line(*lines: bytes) -> Row:
    return lambda door: door.request(*lines)


def _framed(framing: bytes, body: bytes | None = None) -> Row:
    return lambda door: door.request(framing=framing, body=body)


def _body(body: bytes) -> Row:
    return lambda door: door.request(body=body)


_CHUNKED: Final = b"Transfer-Encoding: chunked"

METHODS: Final[dict[str, Row]] = {
    f"the method {name.decode()[:20]}": _method(name)
    for name in (b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH", b"DELETE", b"PRI", b"get", b"BREW", b"X" * 9_000)
} | {
    "methods of two requests": _line(b"X-HTTP-Method-Override: DELETE", b"X-HTTP-Method: DELETE"),
    "no method": lambda door: door.path.encode() + b" HTTP/1.1\r\nHost: cercles\r\n\r\n",
    "a method with NUL": _method(b"GE\x00T"),
    "CONNECT to another host": lambda door: door.request(method=b"CONNECT", target=b"elsewhere.example:443"),
    "OPTIONS of everything": lambda door: door.request(method=b"OPTIONS", target=b"*"),
}

TARGETS: Final[dict[str, Row]] = {
    "everything": _target(lambda _: b"*"),
    "the whole URL": _target(lambda path: b"http://elsewhere.example" + path),
    "a path without its slash": _target(lambda path: path[1:]),
    "two slashes": _target(lambda path: b"/" + path),
    "slashes all over": _target(lambda path: path.replace(b"/", b"///")),
    "a slash at the end": _target(lambda path: path + b"/"),
    "slashes encoded": _target(lambda path: b"/" + path[1:].replace(b"/", b"%2F")),
    "backslashes": _target(lambda path: b"/" + path[1:].replace(b"/", b"\\")),
    "up and down": _target(lambda path: path + b"/../.." + path),
    "up, encoded": _target(lambda path: b"/%2e%2e/%2e%2e/etc/passwd" + path),
    "up, encoded twice": _target(lambda path: path + b"/%252e%252e%252f"),
    "a letter encoded": _target(lambda path: path[:-1] + b"%%%02x" % path[-1]),
    "NUL encoded": _target(lambda path: path + b"%00"),
    "a line end encoded": _target(lambda path: path + b"%0A"),
    "a header encoded": _target(lambda path: path + b"%0d%0aX-Injected:%20yes"),
    "no UTF-8": _target(lambda path: path + b"%ff%fe"),
    "a lone surrogate": _target(lambda path: path + b"%ed%a0%80"),
    "an overlong slash": _target(lambda path: path + b"%c0%af"),
    "half an escape": _target(lambda path: path + b"%"),
    "no escape": _target(lambda path: path + b"%zz%u0041"),
    "an emoji": _target(lambda path: path + b"%F0%9F%8E%AC"),
    "path parameters": _target(lambda path: path + b";admin=true"),
    "a fragment": _target(lambda path: path + b"#fragment"),
    "a template": _target(lambda path: path + b"{{7*7}}${7*7}"),
    "raw bytes": _target(lambda path: path + b"\xff\xc3\xa9"),
    "raw NUL": _target(lambda path: path + b"\x00"),
    "a space": _target(lambda path: path + b" x"),
    "a long path": _target(lambda path: path + b"/x" * 4_000),
    "a long name": _target(lambda path: path + b"x" * 9_000),
    "a path beyond every head": _target(lambda path: path + b"x" * 300_000),
    "many parameters": _query(b"a=1&" * 3_000),
    "one long parameter": _query(b"a=" + b"1" * 9_000),
    "parameters without anything": _query(b"&&&;;;===&&&"),
    "a parameter many times": _query(b"limit=1&limit=2&cursor=a&cursor=b&wait_for=0:0&wait_for=0:1"),
    "parameters as lists": _query(b"limit[]=1&cursor[0]=x&status[$ne]=open"),
    "parameters that are no text": _query(b"%ff=%ff&limit=%00&status=%ed%a0%80"),
    "parameters with a line end": _query(b"limit=1%0A&status=open%0A&cursor=1.1%0A&lang=fr%0A"),
    "waiting for the end of a line": _query(b"wait_for=0:1%0A"),
    "waiting for what is no position": _query(b"wait_for=-1:-1"),
    "waiting beyond every log": _query(b"wait_for=9999999999:9999999999999999999"),
    "SQL": _query(b"status=open'%20OR%201=1--&cursor=';DROP%20TABLE%20campaigns;--"),
    "HTML": _query(b"lang=%3Cscript%3Ealert(1)%3C/script%3E"),
}

HEADERS: Final[dict[str, Row]] = {
    "two hosts": _line(b"Host: elsewhere.example"),
    "no host": lambda door: door.request(host=b""),
    "a host that is none": lambda door: door.request(host=b"Host: a b/c@d:99999999"),
    "a header without a name": _line(b": value"),
    "a header without a colon": _line(b"nothing"),
    "a header's name with a space": _line(b"Authorization : Bearer x"),
    "a header with NUL": _line(b"X-A: a\x00b"),
    "a header with a bare line end": _line(b"X-A: a\nX-B: b"),
    "a folded header": _line(b"X-A: a", b"  b"),
    "a header that is no text": _line(b"Authorization: \xff\xfe\xc3", b"Accept-Language: \xff", b"Last-Event-ID: \xff"),
    "a long header": _line(b"X-A: " + b"a" * 200_000),
    "many headers": _line(*[b"X-%d: a" % number for number in range(4_000)]),
    "two types": _line(b"Content-Type: text/html", b"Content-Type: application/json; charset=utf-7"),
    "two keys": _line(b"Authorization: Bearer other", b"Authorization: Basic Og=="),
    "two signatures": _line(b"webhook-signature: v1,x", b"stripe-signature: t=1,v1=x", b"webhook-id: other"),
    "a type that is none": _line(b'Content-Type: ;;;=";charset="\\"'),
    "an encoded body": _line(b"Content-Encoding: gzip, br, x"),
    "languages that are none": _line(b"Accept-Language: ;;;q=,,*;q=9,fr;q=nan,-,\t" + b"fr-" * 2_000),
    "events that never were": _line(b"Last-Event-ID: -1:-1-\x7f" + b"9" * 5_000),
    "tags that are none": _line(b'If-None-Match: W/"", "' + b'"' * 5_000, b"If-Modified-Since: yesterday"),
    "ranges that are none": _line(b"Range: bytes=-1--1," + b"0-," * 2_000),
    "a page before that has no host": _line(b"Referer: http://" + b"a." * 30_000),
    "cookies that are none": _line(b"Cookie: ;=;a=;=b;" + b'a="' * 2_000),
    "forms that are none": _line(b"Accept: */*;q=x, text/;/", b"Accept-Encoding: *;q=-1"),
    "addresses that are none": _line(b"X-Forwarded-For: 127.0.0.1,,;", b"Forwarded: for=_x;host=elsewhere"),
    "an expectation that is none": _line(b"Expect: the-spanish-inquisition"),
    "an expectation": _line(b"Expect: 100-continue"),
    "another protocol": _line(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"),
    "a web socket": _line(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    "connections that are none": _line(b"Connection: keep-alive, close, Content-Length, Host"),
}

FRAMINGS: Final[dict[str, Row]] = {
    "two lengths": _framed(b"Content-Length: 0\r\nContent-Length: 9"),
    "a list of lengths": _framed(b"Content-Length: 9, 9"),
    "a negative length": _framed(b"Content-Length: -1"),
    "a length with a sign": _framed(b"Content-Length: +2"),
    "a hexadecimal length": _framed(b"Content-Length: 0x10"),
    "a length that no computer holds": _framed(b"Content-Length: " + b"9" * 20),
    "a length beyond every number": _framed(b"Content-Length: " + b"9" * 5_000),
    "a length in other digits": _framed("Content-Length: \u0661".encode()),
    "a length and chunks": _framed(b"Content-Length: 3\r\n" + _CHUNKED, b"0\r\n\r\n"),
    "chunks in chunks": _framed(_CHUNKED + b", chunked", b"0\r\n\r\n"),
    "another coding": _framed(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
    "a coding that is none": _framed(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"),
    "a chunk of no size": _framed(_CHUNKED, b"zz\r\nab\r\n0\r\n\r\n"),
    "a chunk of a negative size": _framed(_CHUNKED, b"-1\r\nab\r\n0\r\n\r\n"),
    "a chunk that no computer holds": _framed(_CHUNKED, b"f" * 17 + b"\r\nab\r\n"),
    "a long extension of a chunk": _framed(_CHUNKED, b"1;" + b"x" * 90_000 + b"\r\na\r\n0\r\n\r\n"),
    "a long trailer": _framed(_CHUNKED, b"0\r\nX: " + b"x" * 90_000 + b"\r\n\r\n"),
    "chunks that end nowhere": _framed(_CHUNKED, b"1\r\n{\r\n"),
    "a body that ends nowhere": _framed(b"Content-Length: 99", b"{"),
    "a second request in the body": lambda door: door.request(framing=b"Content-Length: 0", body=door.request()),
}

BODIES: Final[dict[str, Row]] = {
    "nothing": _body(b""),
    "NUL": _body(b"\x00" * 1_000),
    "a lone surrogate in a body": _body(b'{"a": "\\ud800", "\\udfff": 1}'),
    "bytes that are no text": _body(b'{"a": "\xff\xc3"}'),
    "UTF-16": _body('{"a": 1}'.encode("utf-16")),
    "a deep list": _body(b"[" * 30_000 + b"]" * 30_000),
    "a deep object": _body(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "a long number": _body(b'{"a": ' + b"9" * 30_000 + b"}"),
    "a great exponent": _body(b'{"a": 1e999999, "b": -1e-999999}'),
    "many names": _body(b"{" + b",".join(b'"%d":%d' % (one, one) for one in range(4_000)) + b"}"),
    "one name many times": _body(b"{" + b",".join(b'"a":1' for _ in range(4_000)) + b"}"),
    "a form": _body(b"a=1&a=2&__proto__[x]=1"),
    "parts of a form": _body(b'--x\r\nContent-Disposition: form-data; filename="../../a"\r\n\r\nx\r\n--x--\r\n'),
    "XML": _body(b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'),
    "a pickle": _body(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."),
}

WIRE: Final[dict[str, Row]] = {
    "TLS": lambda _: b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n",
    "HTTP/2": lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9": lambda door: door.request(version=b"HTTP/9.9"),
    "HTTP/1.0": lambda door: door.request(version=b"HTTP/1.0"),
    "no version": lambda door: door.request(version=b""),
    "bare line ends": lambda door: door.request().replace(b"\r\n", b"\n"),
    "lines before it": lambda door: b"\r\n\r\n" + door.request(),
    "two at once": lambda door: door.request() * 2,
    "nothing but zeros": lambda _: b"\x00" * 70_000,
}

TABLE: Final[dict[str, Row]] = METHODS | TARGETS | HEADERS | FRAMINGS | BODIES | WIRE


def answers(host: str, port: int, door: Door) -> dict[str, int | None]:
    """Hold the whole table against a door; return the status that each row is answered with, None where it is none.

    Raises TimeoutError where a row has neither an answer nor an end within `SECONDS_MAX`.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        statuses = pool.map(lambda row: status_of(host, port, row(door)), TABLE.values())
        return dict(zip(TABLE, statuses, strict=True))


def status_of(host: str, port: int, request: bytes) -> int | None:
    """Return the status that a request is answered with; None where the connection ends without one.

    Raises TimeoutError.
    """
    with socket.create_connection((host, port), timeout=SECONDS_MAX) as connection:
        answer = b""
        try:
            connection.sendall(request)
            while True:
                while b"\r\n" not in answer:
                    received = connection.recv(4096)
                    if not received:
                        return None
                    answer += received
                status = int(answer.split(b" ", 2)[1])
                if status != _ASKING_FIRST:
                    return status
                answer = answer.partition(b"\r\n\r\n")[2]
        except ConnectionError:
            # The server had ended the connection while this was still being sent.
            return None


@dataclass(frozen=True)
class Drip:
    """What a client sends first, and then again and again, as if it had all the time in the world."""

    beginning: bytes
    drop: bytes


DRIPS: Final = {
    "nothing": Drip(b"", b""),
    "a head": Drip(b"GET /v1 HTTP/1.1\r\n", b"X: y\r\n"),
    "a body in chunks": Drip(b"PUT / HTTP/1.1\r\nHost: a\r\n" + _CHUNKED + b"\r\n\r\n", b"1\r\nx\r\n"),
    "a long body": Drip(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "the next head": Drip(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"X"),
}


def is_cut_off(host: str, port: int, drip: Drip) -> bool:
    """Tell whether the server ends a connection that drips, within `SECONDS_MAX`."""
    with socket.create_connection((host, port), timeout=SECONDS_MAX) as connection:
        connection.sendall(drip.beginning)
        connection.settimeout(_DROP_SECONDS)
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                connection.sendall(drip.drop)
                if not connection.recv(65_536):
                    return True
            except TimeoutError:
                continue
            except ConnectionError:
                return True
    return False
