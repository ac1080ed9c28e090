"""Replies as values: decoding a body, an upgrade, faults and delays, and the reply that reports an error."""

import gzip
import zlib

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import (
    CloseConnection,
    ExactURL,
    Fault,
    FaultReply,
    PlainRequest,
    Registry,
    Response,
    Route,
    Stream,
    Upgrade,
    WebSocket,
    decode_body,
    error_response,
    format_error,
)
from aiointercept_core._callback_context import DirectContext

HERE = URL("http://h.test/")
GZIPPED = gzip.compress(b"text", mtime=0)

# Content codings.


@pytest.mark.parametrize(
    ("body", "coding", "decoded"),
    [
        (GZIPPED, "gzip", b"text"),
        (GZIPPED + GZIPPED, "gzip", b"texttext"),
        (zlib.compress(b"text"), "deflate", b"text"),
        (b"text", "identity", b"text"),
        (b"text", "", b"text"),
        (b"text", "br", None),
        (zlib.compress(b"text"), "br, deflate", None),
        (b"", "gzip", b""),
    ],
)
def test_decoding_a_body(body, coding, decoded):
    assert decode_body(body, coding) == decoded


@pytest.mark.parametrize(("body", "coding"), [(b"text", "gzip"), (GZIPPED[:-4], "gzip"), (b"\x78\x9cno", "deflate")])
def test_a_body_that_does_not_decode(body, coding):
    with pytest.raises(ValueError, match="cannot decode the body"):
        decode_body(body, coding)


# Values of the family that no registration makes.


async def test_an_upgrade_is_returned_as_it_is():
    async def run(connection):
        while data := await connection.receive():
            await connection.send(data.upper())

    class Connection:
        def __init__(self, *received):
            self.received = list(received)
            self.sent = []

        async def receive(self):
            return self.received.pop(0) if self.received else b""

        async def send(self, data):
            self.sent.append(data)

    upgrade = Upgrade(101, None, CIMultiDictProxy(CIMultiDict({"Upgrade": "websocket"})), run)
    registry = Registry()
    registry.register(Route("GET", ExactURL(HERE), upgrade))
    reply = await registry.answer(PlainRequest("GET", HERE))
    assert reply is upgrade
    connection = Connection(b"a", b"b")
    await reply.run(connection)
    assert connection.sent == [b"A", b"B"]


@pytest.mark.parametrize("fault", [*Fault, TimeoutError("mine")], ids=str)
async def test_a_fault_is_returned_as_it_is(fault):
    reply = FaultReply(fault, delay=2.5)
    registry = Registry()
    registry.register(Route("GET", ExactURL(HERE), reply))
    assert await registry.answer(PlainRequest("GET", HERE)) is reply
    assert registry.call_count == 1


@pytest.mark.parametrize("reply", [Response, Stream, CloseConnection, FaultReply, Upgrade, WebSocket])
def test_the_last_field_of_each_reply_is_its_delay(reply):
    assert reply._fields[-1] == "delay"
    assert reply._field_defaults["delay"] == 0


def test_what_is_known_of_a_fault():
    def named(condition):
        return {fault.name for fault in Fault if condition(fault)}

    with_body = {"TRUNCATED", "RESET_IN_BODY", "CORRUPT_ENCODING"}
    assert named(lambda fault: fault.has_body) == with_body
    assert named(lambda fault: fault.is_sent_by_server) == {"DISCONNECT", "RESET", "MALFORMED", "HANG", *with_body}
    assert named(lambda fault: fault.needs_https) == {"CERTIFICATE", "TLS"}


def test_the_status_of_a_fault_is_that_of_the_head_it_sends():
    response = Response(404, None, CIMultiDictProxy(CIMultiDict()), b"")
    assert FaultReply(Fault.TRUNCATED, response).status == 404
    assert FaultReply(Fault.CORRUPT_ENCODING).status == 200
    assert FaultReply(Fault.RESET, response).status is None
    assert FaultReply(TimeoutError(), response).status is None


async def test_a_websocket_is_returned_with_its_handler_in_the_context_of_the_route():
    class Connection:
        def __init__(self):
            self.sent = []

        async def receive(self):
            return "received"

        async def send_str(self, data):
            self.sent.append(data)

        async def send_bytes(self, data):
            self.sent.append(data)

    class Context(DirectContext):
        async def run_handler(self, handler, connection):
            connection.sent.append("in the context")
            await super().run_handler(handler, connection)

    async def handler(connection):
        await connection.send_str(await connection.receive())
        await connection.send_bytes(b"end")

    registry = Registry()
    for context in (None, Context()):
        registry.register(Route("GET", ExactURL(HERE), WebSocket(handler, ("v1",)), context=context))
    sent = []
    for _ in range(2):
        reply = await registry.answer(PlainRequest("GET", HERE, {"Upgrade": "websocket"}))
        assert (reply.status, reply.protocols, reply.headers) == (101, ("v1",), None)
        connection = Connection()
        await reply.handler(connection)
        sent.append(connection.sent)
    assert sent == [["received", b"end"], ["in the context", "received", b"end"]]


def test_the_reply_that_reports_an_error():
    try:
        raise ValueError("not text: \ud800")
    except ValueError as exc:
        reply = error_response(exc)
        text = format_error(exc)
    message = "your function test_the_reply_that_reports_an_error() raised ValueError: not text: "
    assert (reply.status, reply.reason) == (500, f"{message}?")
    assert dict(reply.headers) == {"Content-Type": "text/plain; charset=utf-8"}
    assert reply.body.decode() == f"{message}\\ud800\n\n{text}"
    assert text.startswith("Traceback")
    assert text.endswith("ValueError: not text: \\ud800\n")
