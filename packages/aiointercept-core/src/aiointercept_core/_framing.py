"""Framing: the headers of a reply that state the length and the encoding of its body.

Replies are often copied from real services together with their headers. Headers that contradict the body are refused
when they are registered, because later the client only hangs or fails to parse the response.
"""

import re

from multidict import CIMultiDict, MultiMapping

from ._content_coding import decode_body
from ._format import describe_value

__all__ = ["check_framing", "drop_contradictions"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

# Clients refuse lengths that do not fit in 64 bits.
_LENGTH = re.compile(r"[0-9]{1,18}")
# The magic number of a frame, or of one that decoders skip.
_ZSTD_FRAME = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")


def check_framing(fields: MultiMapping[str], body: object, *, bodiless: bool, is_text: bool = False) -> None:
    """Raise `ValueError` if a client could not read a reply with these headers and this body.

    A reply to HEAD and the statuses 204 and 304 are `bodiless`: their headers describe a body that is not sent, so any
    length and encoding is accepted. A body that was given as text is not compressed.
    """
    lengths = fields.getall("Content-Length", [])
    if len(lengths) > 1 or (lengths and not _LENGTH.fullmatch(lengths[0].strip())):
        raise ValueError(
            f"headers: Content-Length must be a single number, got {', '.join(map(describe_value, lengths))}; "
            "leave the header out, it is set automatically"
        )
    codings = fields.getall("Transfer-Encoding", [])
    if bodiless:
        if codings and lengths:
            raise ValueError("headers: Content-Length and Transfer-Encoding contradict each other; leave one out")
        return
    for coding in codings:
        if coding.strip().lower() != "chunked":
            raise ValueError(
                f"headers: Transfer-Encoding must be 'chunked', got {describe_value(coding)}; leave the header out"
            )
    if not isinstance(body, bytes):
        return
    for length in lengths:
        if int(length) != len(body):
            raise ValueError(
                f"headers: Content-Length must be {len(body)}, the length of the body, got {length!r}; "
                "leave the header out, it is set automatically"
            )
    coding = ",".join(fields.getall("Content-Encoding", []))
    if coding and body:
        try:
            _check_compressed(body, coding, is_text=is_text)
            decode_body(body, coding)
        except ValueError as exc:
            raise ValueError(
                f"headers: Content-Encoding is {describe_value(coding)}, but the body {describe_value(body)} is not "
                "encoded that way; leave the header out, or encode the body"
            ) from exc


def _check_compressed(body: bytes, content_encoding: str, *, is_text: bool) -> None:
    """Raise `ValueError` for a body that is not compressed with br or zstd, as far as its first bytes show."""
    coding = content_encoding.rpartition(",")[2].strip().lower()
    if (coding in ("br", "zstd") and is_text) or (coding == "zstd" and not _ZSTD_FRAME.match(body)):
        raise ValueError("not compressed")


def drop_contradictions(fields: CIMultiDict[str], body: object, *, bodiless: bool) -> None:
    """Drop each header that `check_framing` would refuse, and an encoding that cannot be checked here."""
    for name in ("Transfer-Encoding", "Content-Length", "Content-Encoding"):
        alone = CIMultiDict((name, value) for value in fields.getall(name, []))
        try:
            check_framing(alone, body, bodiless=bodiless)
        except ValueError:
            fields.popall(name)
    coding = ",".join(fields.getall("Content-Encoding", []))
    if coding and not bodiless and isinstance(body, bytes) and decode_body(body, coding) is None:
        fields.popall("Content-Encoding")
    if "Transfer-Encoding" in fields or not isinstance(body, bytes):
        fields.popall("Content-Length", None)
