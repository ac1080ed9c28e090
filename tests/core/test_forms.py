"""The fields of urlencoded and multipart forms, as clients send them."""

import httpx
import pytest
from memory_client import match

from aiointercept_core import Registry
from aiointercept_core._forms import parse_form

URLENCODED = "application/x-www-form-urlencoded"


def multipart(*parts, boundary="b"):
    body = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head, content) for head, content in parts)
    return body + b"--%s--\r\n" % boundary.encode()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": ["1"], "b": ["2"]}),
        (b"a=1&a=2", {"a": ["1", "2"]}),
        (b"a=&b", {"a": [""], "b": [""]}),
        (b"a+b=c%20d%2B%26", {"a b": ["c d+&"]}),
        (b"%C3%BC=%E2%82%AC", {"ü": ["€"]}),
        (b"a=\xff", {"a": ["\ufffd"]}),
    ],
)
@pytest.mark.parametrize("content_type", [URLENCODED, f"{URLENCODED}; charset=utf-8", f"{URLENCODED.upper()} ;x"])
def test_urlencoded(body, fields, content_type):
    assert parse_form(body, content_type) == fields


@pytest.mark.parametrize(
    ("head", "content", "name", "value"),
    [
        (b'Content-Disposition: form-data; name="a"', b"1", "a", "1"),
        (b"content-disposition:form-data;name=a", b"1", "a", "1"),
        (b'Content-Disposition: form-data; name="a"', b"", "a", ""),
        (b'Content-Disposition: form-data; name="a"', b"\r\n", "a", "\r\n"),
        (b'Content-Disposition: form-data; name="a"', b"\r\n\r\nx: y\r\n\r\n", "a", "\r\n\r\nx: y\r\n\r\n"),
        (b'Content-Disposition: form-data; name="a"', b"---b\r\n--c", "a", "---b\r\n--c"),
        (b'Content-Disposition: form-data; name="a"', b"\n--b\n", "a", "\n--b\n"),
        (b'Content-Disposition: form-data; name="a"', "ü".encode(), "a", "ü"),
        (b'Content-Disposition: form-data; name="a"', b"\xff\x00", "a", b"\xff\x00"),
        (b'Content-Disposition: form-data; name="a"; filename="f"', b"1", "a", b"1"),
        (b'Content-Disposition: form-data; name="a"; filename=""', b"1", "a", b"1"),
        (b"Content-Disposition: form-data; name=\"a\"; filename*=utf-8''f", b"1", "a", b"1"),
        (b'Content-Disposition: form-data; filename="name=f"; name="a"', b"1", "a", b"1"),
        (b'Content-Disposition: form-data; name="a;b=\\"c\\\\"', b"1", 'a;b="c\\', "1"),
        (b'Content-Disposition: form-data; name="a\\ b"', b"1", "a b", "1"),
        ('Content-Disposition: form-data; name="ü"'.encode(), b"1", "ü", "1"),
        (b"Content-Disposition: form-data; name*=utf-8''%C3%BC", b"1", "ü", "1"),
        (b'Content-Disposition: form-data;\r\n name="a"', b"1", "a", "1"),
        (b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="a"\r\nX: y', b"1", "a", "1"),
        (
            b'Content-Type: message/rfc822\r\nContent-Disposition: form-data; name="a"',
            b"X: y\r\n\r\n",
            "a",
            "X: y\r\n\r\n",
        ),
    ],
)
def test_multipart(head, content, name, value):
    body = multipart((head, content), (b'Content-Disposition: form-data; name="last"', b"2"))
    assert parse_form(body, "multipart/form-data; boundary=b") == {name: [value], "last": ["2"]}


@pytest.mark.parametrize(
    ("boundary", "parameter"),
    [
        ("b", "boundary=b"),
        ("a b", 'boundary="a b"'),
        ("b", "charset=utf-8; Boundary=b"),
        ("'()+_,-./:=?", 'boundary="\'()+_,-./:=?"'),
    ],
)
def test_boundaries(boundary, parameter):
    body = b"preamble\r\n" + multipart((b'Content-Disposition: form-data; name="a"', b"1"), boundary=boundary) + b"rest"
    assert parse_form(body, f"multipart/form-data; {parameter}") == {"a": ["1"]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"--b--\r\n",
        b"--b\r\n",
        b"--b\r\n\r\n",
        multipart((b"", b"no header")),
        multipart((b'Content-Disposition: form-data; filename="f"', b"no name")),
        multipart((b'X-Content-Disposition: form-data; name="a"', b"1")),
        multipart((b'Content-Disposition: form-data; name="a"', b"1"), boundary="other"),
    ],
)
def test_a_multipart_body_without_fields(body):
    assert parse_form(body, "multipart/form-data; boundary=b") == {}


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/mixed; boundary=b", "text/plain; a=" + URLENCODED]
)
def test_a_content_type_that_is_not_a_form(content_type):
    assert parse_form(b"a=1", content_type) is None


def test_a_large_file_is_not_changed():
    content = bytes(range(256)) * 40_000 + b"\r\n--"
    body = multipart((b'Content-Disposition: form-data; name="a"; filename="f"', content))
    assert parse_form(body, "multipart/form-data; boundary=b") == {"a": [content]}


def test_forms_of_a_client():
    request = httpx.Request(
        "POST",
        "http://h.test/",
        data={"a": ["1", "2"], "ü": "€"},
        files={"f": ("näme.txt", b"text"), 'q"': b"\xff"},
    )
    assert parse_form(request.read(), request.headers["Content-Type"]) == {
        "a": ["1", "2"],
        "ü": ["€"],
        "f": [b"text"],
        "q%22": [b"\xff"],
    }


def sent(body, content_type=URLENCODED):
    registry = Registry()
    match(registry, "POST", "http://h.test/", headers={"content-type": content_type}, body=body)
    return registry


@pytest.mark.parametrize(
    "data",
    [
        {"a": "1", "b": ["2", "3"], "c": ""},
        {"a": 1, "b": (2, 3), "c": b""},
        {"c": "", "b": ["2", "3"], "a": ["1"]},
    ],
)
def test_a_form_is_compared_by_its_fields(data):
    sent(b"a=1&b=2&b=3&c=").assert_called_with("http://h.test/", "POST", data=data)


@pytest.mark.parametrize("value", ["text", b"text"])
@pytest.mark.parametrize("head", [b'name="a"', b'name="a"; filename="f"'])
def test_a_multipart_field_is_compared_as_text_or_bytes(head, value):
    body = multipart((b"Content-Disposition: form-data; " + head, b"text"))
    registry = sent(body, "multipart/form-data; boundary=b")
    registry.assert_called_with("http://h.test/", "POST", data={"a": value})
    with pytest.raises(AssertionError):
        registry.assert_called_with("http://h.test/", "POST", data={"a": value + value})


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ({"a": "2", "b": ["2", "3"], "c": ""}, "data['a']: expected '2', got '1'"),
        ({"a": "1", "b": ["2", "4"], "c": ""}, "data['b'][1]: expected '4', got '3'"),
        ({"a": "1", "b": "2", "c": ""}, "data['b']: expected '2', got ['2', '3']"),
        ({"a": "1", "b": ["2", "3"]}, "data['c']: '' is unexpected"),
        ({"a": "1", "b": ["2", "3"], "c": "", "d": "4"}, "data['d']: '4' is missing"),
    ],
)
def test_fields_that_differ_are_named(data, note):
    with pytest.raises(AssertionError, match=r"POST http://h\.test/: expected data \{") as caught:
        sent(b"a=1&b=2&b=3&c=").assert_called_with("http://h.test/", "POST", data=data)
    assert caught.value.__notes__ == [note]


@pytest.mark.parametrize(
    ("content_type", "words"),
    [("application/json", "with content type 'application/json'"), ("", "without a content type")],
)
def test_a_body_that_is_not_a_form(content_type, words):
    with pytest.raises(AssertionError, match=f"expected data {{'a': '1'}}, got a body {words}, which is not a form"):
        sent(b"a=1", content_type).assert_called_with("http://h.test/", "POST", data={"a": "1"})
