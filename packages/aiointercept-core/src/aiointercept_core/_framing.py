"""Framing: the headers of a reply that say how long its body is and how it is encoded.

Replies are often copied from real services, headers included. What would make one unreadable is told where it is
registered, since on the wire the client only hangs or fails to parse.
"""

import re

from multidict import CIMultiDict, MultiMapping

from ._content_coding import decode_body
from ._wording import describe_value

__all__ = ["check_framing", "drop_contradictions"]

# Clients refuse what does not fit in 64 bits.
_LENGTH = re.compile(r"[0-9]{1,18}")


def check_framing(fields: MultiMapping[str], body: object, *, bodiless: bool) -> None:
    """Raise `ValueError` where a reply with these headers and this body could not be read.

    A reply to HEAD, a 204 and a 304 are `bodiless`: their headers describe a body that is not sent, so that any
    length and encoding may be true.
    """
    lengths = fields.getall("Content-Length", [])
    if len(lengths) > 1 or (lengths and not _LENGTH.fullmatch(lengths[0].strip())):
        raise ValueError(
            f"headers: expected one Content-Length of digits or none, got {', '.join(map(describe_value, lengths))}; "
            "leave the header out, it is set by itself"
        )
    codings = fields.getall("Transfer-Encoding", [])
    if bodiless:
        if codings and lengths:
            raise ValueError(
                "headers: expected Content-Length or Transfer-Encoding, got both; "
                "leave one out, clients refuse them together"
            )
        return
    for coding in codings:
        if coding.strip().lower() != "chunked":
            raise ValueError(
                f"headers: expected Transfer-Encoding 'chunked' or none, got {describe_value(coding)}; "
                "leave the header out"
            )
    if not isinstance(body, bytes):
        return
    for length in lengths:
        if int(length) != len(body):
            raise ValueError(
                f"headers: expected Content-Length {len(body)}, the length of the body, got {length!r}; "
                "leave the header out, it is set by itself"
            )
    coding = ",".join(fields.getall("Content-Encoding", []))
    if coding and body:
        try:
            decode_body(body, coding)
        except ValueError as exc:
            raise ValueError(
                f"headers: expected a body encoded as Content-Encoding {describe_value(coding)} says, "
                f"got {describe_value(body)}; leave the header out, or encode the body"
            ) from exc


def drop_contradictions(fields: CIMultiDict[str], body: object, *, bodiless: bool) -> None:
    """Drop each header that `check_framing` would refuse, and an encoding that nobody here can tell to be true."""
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
