"""Content codings that the standard library knows, gzip and deflate: decoding a body as a client does."""

import zlib

__all__ = ["decode_body"]

# pytest shows the user's own line as the last one.
__tracebackhide__ = True

_GZIP_WBITS = 16 + zlib.MAX_WBITS


def decode_body(body: bytes, content_encoding: str) -> bytes | None:
    """Return `body` decoded as the value of its Content-Encoding header says.

    Returns `None` for codings other than gzip, deflate and identity, which cannot be decoded here. Raises `ValueError`
    if the body is not encoded that way.
    """
    for coding in reversed(content_encoding.lower().split(",")):
        match coding.strip():
            case "gzip" | "x-gzip":
                body = _inflate(body, _GZIP_WBITS)
            case "deflate":
                # The standard asks for a zlib header, whose low four bits are always 8, but raw streams are common.
                wrapped = bool(body) and body[0] & 0x0F == 8
                body = _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
            case "identity" | "":
                pass
            case _:
                return None
    return body


def _inflate(body: bytes, wbits: int) -> bytes:
    if not body:
        return body
    parts = []
    # A gzip body may consist of several members.
    while body:
        inflater = zlib.decompressobj(wbits)
        try:
            parts.append(inflater.decompress(body))
            parts.append(inflater.flush())
        except zlib.error as exc:
            raise ValueError(f"cannot decode the body: {exc}") from exc
        if not inflater.eof:
            raise ValueError("cannot decode the body: it ends too early")
        body = inflater.unused_data
        if wbits != _GZIP_WBITS:
            break
    return b"".join(parts)
