"""Which spellings are the same URL, and which are different URLs."""

import ipaddress
import itertools
import re
import tracemalloc

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from memory_client import match
from yarl import URL

from aiointercept_core import Origin, PlainRequest, Registry, normalize_url, origin_of

SAME = [
    ("http://h.test", "http://h.test/"),
    ("HTTP://H.Test/", "http://h.test/"),
    ("http://h.test./", "http://h.test/"),
    ("http://H.TEST.:80/", "http://h.test/"),
    ("http://h.test:80/", "http://h.test/"),
    ("https://h.test:443/", "https://h.test/"),
    ("http://h.test:/", "http://h.test/"),
    ("http://h.test:080/", "http://h.test/"),
    ("http://user:secret@h.test/", "http://h.test/"),
    ("http://user@h.test:80/a", "http://h.test/a"),
    ("http://h.test/a#part", "http://h.test/a"),
    ("http://h.test/?a=1#?b=2", "http://h.test/?a=1"),
    ("http://h.test?a=1", "http://h.test/?a=1"),
    ("http://h.test/?", "http://h.test/"),
    ("http://h.test/?b=2&a=1", "http://h.test/?a=1&b=2"),
    ("http://h.test/?a=2&a=1", "http://h.test/?a=1&a=2"),
    ("http://h.test/?a", "http://h.test/?a="),
    ("http://h.test/?a=1&&b=2&", "http://h.test/?a=1&b=2"),
    ("http://h.test/?a=1+2", "http://h.test/?a=1%202"),
    ("http://h.test/?a+b=1", "http://h.test/?a%20b=1"),
    ("http://h.test/?a=b=c", "http://h.test/?a=b%3Dc"),
    ("http://h.test/?a=b;c", "http://h.test/?a=b%3Bc"),
    ("http://h.test/?a=[1]", "http://h.test/?a=%5B1%5d"),
    ("http://h.test/?a=%7e", "http://h.test/?a=~"),
    ("http://h.test/?a=ü", "http://h.test/?a=%c3%BC"),
    ("http://h.test/?a=%ff", "http://h.test/?a=%FF"),
    ("http://h.test/ü", "http://h.test/%C3%bc"),
    ("http://h.test/a b", "http://h.test/a%20b"),
    ("http://h.test/%7Ea%2D", "http://h.test/~a-"),
    ("http://h.test/a%2fb", "http://h.test/a%2Fb"),
    ("http://h.test/a/./b/../c", "http://h.test/a/c"),
    ("http://h.test/%zz", "http://h.test/%25zz"),
    ("http://bücher.test/", "http://xn--bcher-kva.test/"),
    ("http://BÜCHER.test/", "http://XN--BCHER-KVA.test/"),
    ("http://例え.test/", "http://xn--r8jz45g.test/"),
    ("http://[::1]/", "http://[::1]:80/"),
    ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
    ("http://[2001:DB8::A]:8080/", "http://[2001:db8:0::a]:8080/"),
    ("http://127.0.0.1:80/", "http://127.0.0.1/"),
]

DIFFERENT = [
    ("http://h.test/", "https://h.test/"),
    ("http://h.test:443/", "https://h.test/"),
    ("http://h.test/", "http://h.test:81/"),
    ("http://h.test/", "http://h.test:0/"),
    ("http://h.test/", "http://www.h.test/"),
    ("http://127.0.0.1/", "http://localhost/"),
    ("http://[::1]/", "http://[::2]/"),
    ("http://[::1]:80/", "http://[::1]:81/"),
    ("http://h.test/a", "http://h.test/a/"),
    ("http://h.test/a", "http://h.test/A"),
    ("http://h.test/a", "http://h.test//a"),
    ("http://h.test/a/b", "http://h.test/a%2Fb"),
    ("http://h.test/a%2Fb", "http://h.test/a%252Fb"),
    ("http://h.test/a%3Fb=1", "http://h.test/a?b=1"),
    ("http://h.test/a+b", "http://h.test/a%20b"),
    ("http://h.test/a+b", "http://h.test/a%2Bb"),
    ("http://h.test/a;b", "http://h.test/a"),
    ("http://h.test/?a=1", "http://h.test/?A=1"),
    ("http://h.test/?a=1", "http://h.test/"),
    ("http://h.test/?a=1", "http://h.test/?a=1&a=1"),
    ("http://h.test/?a=1&a=1&a=2", "http://h.test/?a=1&a=2&a=2"),
    ("http://h.test/?a=1&b=2", "http://h.test/?a=2&b=1"),
    ("http://h.test/?a=1%262", "http://h.test/?a=1&2"),
    ("http://h.test/?a%3D1", "http://h.test/?a=1"),
    ("http://h.test/?a=1%2B2", "http://h.test/?a=1+2"),
    ("http://h.test/?a=1%2B2", "http://h.test/?a=1%202"),
    # Escapes that cannot be decoded are compared as they are, not by their replacement characters.
    ("http://h.test/?a=%FE", "http://h.test/?a=%FF"),
    ("http://h.test/?a=%FF", "http://h.test/?a=%EF%BF%BD"),
    ("http://h.test/?a=%zz", "http://h.test/?a=%zy"),
    ("http://h.test/%FE", "http://h.test/%FF"),
    ("http://bücher.test/", "http://bucher.test/"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_the_same_url(one, other):
    assert normalize_url(one) == normalize_url(other)
    assert str(normalize_url(one)) == str(normalize_url(other))
    for registered, asked in ((one, other), (other, one)):
        registry = Registry()
        route = registry.get(registered)
        assert match(registry, "GET", asked).route is route


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_different_urls(one, other):
    assert normalize_url(one) != normalize_url(other)
    for registered, asked in ((one, other), (other, one)):
        registry = Registry()
        registry.get(registered)
        assert match(registry, "GET", asked).route is None


def test_text_and_url_object_are_normalised_alike():
    for text in {url for pair in SAME + DIFFERENT for url in pair}:
        normalised = normalize_url(text)
        assert normalize_url(URL(text)) == normalised
        assert normalize_url(URL(str(URL(text)), encoded=True)) == normalised


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("HTTP://User:pw@H.Test.:80?b=2&a=x y#top", "http://h.test/?a=x+y&b=2"),
        ("https://[::1]:443/a%2fb", "https://[::1]/a%2Fb"),
        ("https://Bücher.test:8443/ü", "https://xn--bcher-kva.test:8443/%C3%BC"),
    ],
)
def test_the_normal_form(text, normalised):
    assert str(normalize_url(text)) == normalised


@pytest.mark.parametrize("value", [None, 1, b"http://h.test/", ["http://h.test/"]])
def test_a_value_that_is_not_a_url(value):
    with pytest.raises(TypeError, match=r"the URL must be a str or a yarl\.URL, got "):
        normalize_url(value)


def test_text_that_is_not_a_url():
    with pytest.raises(ValueError, match=r"[Pp]ort"):
        normalize_url("http://h.test:99999/")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://H.test./a", Origin("http", "h.test", 80)),
        ("https://h.test", Origin("https", "h.test", 443)),
        ("http://h.test:8080", Origin("http", "h.test", 8080)),
        ("http://[::1]", Origin("http", "::1", 80)),
    ],
)
def test_the_origin_of_a_url(url, origin):
    assert origin_of(normalize_url(url)) == origin


def test_huge_urls():
    path, value = "/" + "a" * 60_000, "b" * 60_000
    registry = Registry()
    route = registry.get(f"http://h.test{path}?q={value}", repeat=True)
    assert match(registry, "GET", f"http://h.test{path}?q={value}").route is route
    assert match(registry, "GET", f"http://h.test{path}?q={value}x").route is None
    many = "&".join(f"k{number}={number}" for number in range(5_000))
    route = registry.get(f"http://h.test/?{many}")
    backwards = "&".join(reversed(many.split("&")))
    assert match(registry, "GET", f"http://h.test/?{backwards}").route is route


@pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
@pytest.mark.parametrize("port", ["", ":80", ":443", ":8", ":8080", ":59999", ":60000", ":0", ":08", ":"])
def test_common_urls(scheme, port):
    hosts = ("h.test", "127.0.0.1", "a-b.c", "1.2", "-", "a..b", "h.", "H", "a_b")
    paths = ("", "/", "/a", "/a/", "/a/b.c", "/a-b/_~", "//", "/a//b", "/.", "/..", "/a/.b", "/a/..", "/A/1")
    for host, path in itertools.product(hosts, paths):
        text = f"{scheme}://{host}{port}{path}"
        expected = normalize_url(f"{text}#part")
        for url in (text, URL(text), URL(text, encoded=True)):
            normalised = normalize_url(url)
            assert (normalised, str(normalised)) == (expected, str(expected))


# Any URL: written by people, built by libraries, and sent by clients.

PROPERTY = settings(max_examples=60, derandomize=True, deadline=None, database=None)

# URL parsers strip some control characters; lone surrogates cannot be encoded.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n"), max_size=8)
raw = st.text(st.sampled_from("aA0~-._/%2F%c3%BC%ff%zz%+&=;:@!$'()*,[]|\"<>\\^`{} üé€😀"), max_size=12)
label = st.one_of(
    st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,6}[a-zA-Z0-9])?", fullmatch=True).filter(lambda one: "--" not in one),
    st.sampled_from(["bücher", "BÜCHER", "faß", "例え", "пример", "xn--bcher-kva", "_dmarc"]),
)
name = st.builds("{}.test{}".format, st.lists(label, min_size=1, max_size=3).map(".".join), st.sampled_from(["", "."]))
address = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).filter(lambda one: one.scope_id is None).map("[{}]".format),
)
host = st.one_of(name, address)
port = st.one_of(st.just(""), st.integers(0, 65535).map(":{}".format))
pairs = st.lists(st.tuples(text, text), max_size=4)


@st.composite
def urls(draw):
    """Return a URL as text, as a person writes it, quoted correctly or not."""
    path = draw(st.one_of(raw, st.lists(text, max_size=3).map("/".join))).replace("?", "").replace("#", "")
    query = draw(st.one_of(st.none(), raw)) or ""
    return (
        f"{draw(st.sampled_from(['http', 'https', 'HTTP']))}://{draw(st.sampled_from(['', 'user@', 'u:p@']))}"
        f"{draw(host)}{draw(port)}{'/' + path if path else ''}{'?' + query if query else ''}"
        f"{draw(st.sampled_from(['', '#part']))}"
    )


@pytest.mark.parametrize("kind", [str, URL])
def test_long_urls_are_not_kept_in_memory(kind):
    rest = "x" * 8192
    assert normalize_url(kind(f"http://h.test/?b={rest}&a=1")) == URL(f"http://h.test/?a=1&b={rest}")
    tracemalloc.start()
    try:
        for number in range(1000):
            normalize_url(kind(f"http://h.test/?b={rest}&a={number}"))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The caches of yarl keep some of them.
    assert kept < 1000 * len(rest)


@PROPERTY
@given(urls())
def test_any_url_that_is_registered_matches_itself(written):
    registry = Registry()
    route = registry.get(written, repeat=True)
    url = URL(written)
    as_sent = URL(f"{url.scheme}://{url.raw_authority.rpartition('@')[2]}{url.raw_path_qs}", encoded=True)
    for asked in (written, url, str(url), as_sent, normalize_url(url)):
        assert registry.match(PlainRequest("GET", URL(asked))).route is route
    assert registry.requests == {("GET", normalize_url(written)): [one for _, one in registry.ordered_requests]}


@PROPERTY
@given(urls())
def test_normalising_twice_changes_nothing(written):
    once = normalize_url(written)
    assert normalize_url(once) == once
    assert str(normalize_url(str(once))) == str(once)
    assert normalize_url(URL(str(once), encoded=True)) == once
    assert once.absolute
    assert not once.fragment
    assert once.user is None


@PROPERTY
@given(urls(), st.randoms(use_true_random=False))
def test_case_of_the_host_and_of_escapes_and_order_of_the_query_do_not_matter(written, random):
    url = URL(written)
    host = "".join(random.choice((one.lower(), one.upper())) for one in url.host_subcomponent)
    query = url.raw_query_string.split("&")
    random.shuffle(query)
    path = "".join(
        one if position % 2 == 0 else random.choice((one.lower(), one.upper()))
        for position, one in enumerate(re.split("(%[0-9A-F]{2})", url.raw_path))
    )
    other = f"{url.scheme}://{host}{path}?{'&'.join(query)}"
    assume(url.explicit_port is None or url.is_default_port())
    assert normalize_url(URL(other, encoded=True)) == normalize_url(url)


@PROPERTY
@given(pairs, pairs)
def test_queries_with_the_same_pairs_are_the_same(one, other):
    base = URL("http://h.test/")
    same = sorted(one) == sorted(other)
    assert (normalize_url(base.with_query(one)) == normalize_url(base.with_query(other))) is same


@PROPERTY
@given(st.lists(text, max_size=3), st.lists(text, max_size=3))
def test_paths_with_the_same_segments_are_the_same(one, other):
    # `.` and `..` are resolved, so that different segments may be the same path.
    assume(not {".", ".."} & {*one, *other})
    assume(all("/" not in segment for segment in (*one, *other)))
    made = [URL("http://h.test") / "/".join(["x", *segments]) for segments in (one, other)]
    same = made[0].parts == made[1].parts
    assert (normalize_url(made[0]) == normalize_url(made[1])) is same


@PROPERTY
@given(st.ip_addresses(v=6).filter(lambda one: one.scope_id is None), st.integers(1, 65535))
def test_an_ipv6_host_in_any_spelling(address, port):
    short, long = f"http://[{address}]:{port}/", f"http://[{address.exploded.upper()}]:{port}/"
    assert normalize_url(short) == normalize_url(long)
    assert ipaddress.ip_address(normalize_url(long).host) == address
