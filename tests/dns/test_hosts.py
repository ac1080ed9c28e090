"""Hosts in mappings and lists: how an entry is parsed, and which URLs it stands for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from aiointercept_dns import Address, OriginResolver, Passthrough, Redirection, is_ip_address, is_loopback
from aiointercept_dns._hosts import HostMap

SERVER = "http://127.0.0.1:5000"

# An entry, URLs that it stands for, and other URLs.
ENTRIES = [
    ("api.example", ["http://api.example/x?y", "https://api.example:8443"], ["http://example", "http://x.api.example"]),
    ("API.Example", ["https://api.example/"], []),
    ("api.example.", ["https://api.example/", "https://api.example./"], []),
    ("api.example", ["https://api.example./"], []),
    ("api.example:443", ["https://api.example/", "http://api.example:443"], ["http://api.example/"]),
    ("api.example:8080", ["http://api.example:8080/"], ["http://api.example", "http://api.example:8081"]),
    ("bücher.example", ["https://xn--bcher-kva.example", "https://BÜCHER.example/a"], []),
    ("xn--bcher-kva.example", ["https://bücher.example"], []),
    ("my_service", ["http://my_service:80/"], []),
    ("10.0.0.1", ["http://10.0.0.1/", "http://10.0.0.1:81/"], ["http://10.0.0.2/"]),
    ("10.0.0.1:81", ["http://10.0.0.1:81/"], ["http://10.0.0.1/"]),
    ("::1", ["http://[::1]/", "http://[::1]:81/"], ["http://[::2]/"]),
    ("[::1]", ["http://[::1]:9/"], []),
    ("[::1]:81", ["http://[::1]:81/"], ["http://[::1]/"]),
    ("2001:DB8:0:0::1", ["http://[2001:db8::1]/"], []),
]

NOT_HOSTS = [
    "",
    " ",
    ".",
    "a..b",
    "a b",
    "*.example",
    "a,b",
    "host:port",
    "host:0",
    "host:70000",
    "host:-1",
    "host?query",
    "host/path?query",
    "host#fragment",
    "user@host",
    "http://",
    "http://user:secret@host",
    "https://host/path#fragment",
    "ftp://host/path",
    "ftp://host",
    "ws://host",
    "[::1",
    "::1::2",
    "ho\\st",
    "ho\nst",
    None,
    5,
    b"host",
]


@pytest.mark.parametrize(("entry", "same", "different"), ENTRIES)
def test_an_entry_stands_for_urls(entry, same, different):
    passthrough, hosts = Passthrough([entry]), HostMap({entry: SERVER})
    for url in map(URL, same):
        assert passthrough.matches(url)
        assert hosts.find(url.raw_host, url.port, url.scheme) == Address("127.0.0.1", 5000)
    for url in map(URL, different):
        assert not passthrough.matches(url)
        assert hosts.find(url.raw_host, url.port, url.scheme) is None


@pytest.mark.parametrize("entry", ["https://api.example", "https://api.example/", "http://api.example."])
def test_an_origin_in_passthrough_stands_for_every_port(entry):
    passthrough = Passthrough([entry])
    assert all(passthrough.matches(URL(url)) for url in ("http://api.example", "https://api.example:8443/x"))


@pytest.mark.parametrize(
    ("entry", "same", "different"),
    [
        (
            "http://api.example:8080/status",
            ["/status", "/status/", "/status/a?b", "/status?a=/b", "/status#a"],
            ["/", "", "/statuses", "/Status", "/a/status", "/a?/status"],
        ),
        ("api.example:8080/status/", ["/status", "/status/", "/status/a"], ["/statuses", "/"]),
        ("API.example/a%2Fb", ["/a%2Fb", "/a%2Fb/c"], ["/a/b", "/a"]),
        ("https://api.example/a%20b", ["/a b", "/a%20b/c"], ["/a"]),
        ("https://api.example/ü", ["/ü/x", "/%C3%BC"], ["/u"]),
        ("https://api.example/a/../b", ["/b/c", "/a/../b"], ["/a"]),
    ],
)
def test_an_entry_with_a_path_in_passthrough_stands_for_the_urls_below_it(entry, same, different):
    passthrough = Passthrough([entry])
    for path in same:
        assert passthrough.matches(URL(f"http://api.example:8080{path}"))
        assert not passthrough.matches(URL(f"http://other.example:8080{path}"))
    for path in different:
        assert not passthrough.matches(URL(f"http://api.example:8080{path}"))


def test_entries_with_paths_are_added_to_one_another():
    passthrough = Passthrough(["http://api.example/a", "api.example:81/b", "http://api.example/c"])
    assert all(passthrough.matches(URL(f"http://api.example:81/{path}")) for path in ("a", "b", "c"))
    assert not passthrough.matches(URL("http://api.example:82/b"))
    assert not passthrough.matches(URL("http://api.example:81/"))
    everything = Passthrough(["http://api.example/a", "api.example"])
    assert everything.matches(URL("https://api.example"))


@pytest.mark.parametrize("entry", ["host/path", "https://host/path"])
@pytest.mark.parametrize("use", [lambda entry: HostMap({entry: SERVER}), lambda entry: OriginResolver({entry: SERVER})])
def test_a_path_in_a_mapping_is_a_value_error_that_names_it(use, entry):
    with pytest.raises(
        ValueError, match=r"has more than a host: write 'api\.example\.com', .* without a path"
    ) as caught:
        use(entry)
    assert repr(entry) in str(caught.value)


def test_an_origin_in_a_mapping_is_one_scheme_and_port():
    hosts = HostMap({"https://api.example": SERVER})
    assert hosts.find("api.example", 443, "https") == Address("127.0.0.1", 5000)
    assert hosts.find("api.example", 80, "http") is None
    assert hosts.find("api.example", 443, "http") is None
    assert hosts.find("api.example", 8443, "https") is None


def test_the_most_exact_key_is_used():
    hosts = HostMap(
        {
            "api.example": "http://127.0.0.1:1",
            "api.example:443": "http://127.0.0.1:2",
            "https://api.example": "http://127.0.0.1:3",
        }
    )
    assert hosts.find("api.example", 443, "https") == Address("127.0.0.1", 3)
    assert hosts.find("api.example", 443, "http") == Address("127.0.0.1", 2)
    assert hosts.find("api.example", 80, "http") == Address("127.0.0.1", 1)


@pytest.mark.parametrize("entry", NOT_HOSTS)
@pytest.mark.parametrize(
    "use",
    [
        lambda entry: Passthrough([entry]),
        lambda entry: HostMap({entry: SERVER}),
        lambda entry: Redirection({entry: SERVER}),
        lambda entry: OriginResolver({entry: SERVER}),
    ],
    ids=["Passthrough", "HostMap", "Redirection", "OriginResolver"],
)
def test_an_entry_that_is_not_a_host_is_a_value_error_that_names_it(use, entry):
    with pytest.raises(ValueError, match=r"a host: write 'api\.example\.com', 'host:port'") as caught:
        use(entry)
    assert repr(entry) in str(caught.value)


def test_a_single_str_is_not_a_list_of_hosts():
    with pytest.raises(TypeError, match=r"must be a list of hosts, got 'api\.example': write \['api\.example'\]"):
        Passthrough("api.example")


@pytest.mark.parametrize("hosts", [None, [], ()])
def test_passthrough_without_hosts_matches_no_url(hosts):
    assert not Passthrough(hosts).matches(URL("http://api.example"))


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("http://127.0.0.1:5000", Address("127.0.0.1", 5000)),
        ("http://127.0.0.1:5000/", Address("127.0.0.1", 5000)),
        ("http://127.0.0.1", Address("127.0.0.1", 80)),
        ("http://localhost:5000", Address("127.0.0.1", 5000)),
        ("http://[::1]:5000", Address("::1", 5000)),
        ("http://192.0.2.1:81", Address("192.0.2.1", 81)),
        (URL("http://127.0.0.1:5000"), Address("127.0.0.1", 5000)),
    ],
)
def test_a_server_is_given_by_its_url(target, address):
    assert HostMap({"api.example": target}).find("api.example", 443, "https") == address


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1:5000",
        "http://wiremock:8080",
        "127.0.0.1:5000",
        "http://127.0.0.1:5000/base",
        "http://127.0.0.1:5000?query",
        "http://user@127.0.0.1:5000",
        "http://127.0.0.1:port",
        "",
        None,
        5000,
        ("127.0.0.1", 5000),
    ],
)
def test_a_target_that_is_not_a_plain_http_server_is_a_value_error_that_names_it(target):
    with pytest.raises(ValueError, match=r"write one like 'http://127\.0\.0\.1:8080'") as caught:
        HostMap({"api.example": target})
    assert repr(target) in str(caught.value)


LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join).filter(lambda name: not is_ip_address(name))


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(name=NAMES, port=st.none() | st.integers(1, 65535), dot=st.booleans(), upper=st.booleans())
def test_any_name_stands_for_its_own_urls(name, port, dot, upper):
    entry = f"{name}{'.' * dot}" + (f":{port}" if port else "")
    hosts, passthrough = HostMap({entry: SERVER}), Passthrough([entry])
    for scheme in ("http", "https"):
        url = URL.build(scheme=scheme, host=name.upper() if upper else name, port=port)
        assert hosts.find(url.raw_host, url.port, url.scheme)
        assert passthrough.matches(url)
        other = url.with_host(f"x{name}")
        assert hosts.find(other.raw_host, other.port, other.scheme) is None
        assert not passthrough.matches(other)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"]
)
def test_loopback_hosts(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "notlocalhost", "128.0.0.1", "::2", "10.0.0.1", ""])
def test_hosts_that_are_not_loopback(host):
    assert not is_loopback(host)
