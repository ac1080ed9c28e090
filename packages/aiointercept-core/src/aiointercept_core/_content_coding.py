"""Content codings of the standard library, gzip and deflate: decoding a body as a client would."""

import zlib

__all__ = ["decode_body"]

_GZIP_WBITS = 16 + zlib.MAX_WBITS


def decode_body(body: bytes, content_encoding: str) -> bytes | None:
    """Return `body` without the codings that a Content-Encoding header names.

    Returns `None` where one of them is neither gzip, deflate nor identity: whether the body decodes cannot be told
    here. Raises `ValueError` where the body is not encoded as the header says.
    """
    for coding in reversed(content_encoding.lower().split(",")):
        match coding.strip():
            case "gzip" | "x-gzip":
                body = _inflate(body, _GZIP_WBITS)
            case "deflate":
                # By the letter deflate is zlib-wrapped, yet raw deflate streams are common: the low four bits of
                # a zlib header are always 8.
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
    # A gzip body may consist of several members, one after the other.
    while body:
        inflater = zlib.decompressobj(wbits)
        try:
            parts.append(inflater.decompress(body))
            parts.append(inflater.flush())
        except zlib.error as exc:
            raise ValueError(f"the body does not decode: {exc}") from exc
        if not inflater.eof:
            raise ValueError("the body does not decode: it ends early")
        body = inflater.unused_data
        if wbits != _GZIP_WBITS:
            break
    return b"".join(parts)
