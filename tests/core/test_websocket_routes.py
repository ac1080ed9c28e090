"""Routes for WebSockets: registration, the order among other routes, and which requests they answer."""

import asyncio
import functools
import inspect
import re

import pytest
from memory_client import AIORESPONSES_RULES, make_request
from yarl import URL

from aiointercept_core import CloseConnection, Fault, FaultReply, Registry, Response, WebSocket

URL_ = "https://h.test/socket"
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket"}
BEHIND_REPEAT = "already has a reply with repeat=True, so this one would never be used: register it before that one"


async def handler(ws):
    await ws.send_str("hello")


class AsyncCallable:
    async def __call__(self, ws):
        await ws.send_str("hello")


@pytest.fixture
def registry():
    return Registry()


def shake(registry, url=URL_, headers=(), method="GET"):
    """Return the record of a handshake."""
    return registry.match(make_request(method, url, headers={**HANDSHAKE, **dict(headers)}))


def get(registry, url=URL_, **headers):
    """Return the record of a GET that is no handshake."""
    return registry.match(make_request("GET", url, headers=headers))


def reply(registry, record):
    return asyncio.run(registry.reply(record))


# What is registered.


def test_the_arguments():
    parameters = list(inspect.signature(Registry.ws).parameters.values())
    assert [parameter.name for parameter in parameters] == [
        *("self", "url", "handler", "protocols", "headers", "repeat", "optional", "params"),
        *("match_headers", "match_query", "match", "delay", "fault"),
    ]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters[3:])
    add = inspect.signature(Registry.add).parameters
    for parameter in parameters[3:]:
        if parameter.name != "protocols":
            assert parameter == add[parameter.name].replace(kind=parameter.KEYWORD_ONLY)


def test_the_route(registry):
    route = registry.ws("WSS://H.test:443/socket#fragment", handler)
    assert (route.method, route.url, route.remaining, route.optional) == ("GET", URL(URL_), 1, False)
    assert str(route) == f"GET {URL_}"
    assert registry.routes == [route]


def test_the_reply(registry):
    class Client:
        sent = ()

        async def send_str(self, data):
            self.sent += (data,)

    registry.ws(URL_, handler, protocols=["v2", "v1"], headers={"X-A": "1"}, delay=0.5)
    record = shake(registry)
    answer = reply(registry, record)
    assert isinstance(answer, WebSocket)
    assert (answer.status, answer.protocols, answer.headers, answer.delay) == (101, ("v2", "v1"), {"X-A": "1"}, 0.5)
    client = Client()
    asyncio.run(answer.handler(client))
    assert client.sent == ("hello",)
    assert record.request is registry.last_request


@pytest.mark.parametrize("function", [handler, functools.partial(handler), AsyncCallable(), AsyncCallable().__call__])
def test_all_kinds_of_coroutine_functions(registry, function):
    registry.ws(URL_, function)
    assert isinstance(reply(registry, shake(registry)), WebSocket)


@pytest.mark.parametrize("function", [None, "text", 1, lambda ws: None, print, functools.partial(print), object()])
def test_a_handler_that_is_no_coroutine_function(registry, function):
    advice = "write `async def handler(ws): ...` and pass the function itself"
    with pytest.raises(TypeError, match=rf"^handler must be a coroutine function, got .*; {re.escape(advice)}$"):
        registry.ws(URL_, function)
    assert registry.routes == []


def test_a_handler_is_named_as_in_the_code(registry):
    def answer(ws, word): ...

    with pytest.raises(TypeError, match=r"got test_a_handler_is_named_as_in_the_code\.answer\(\); "):
        registry.ws(URL_, functools.partial(answer, word="a"))


def test_an_argument_that_only_other_routes_have(registry):
    with pytest.raises(TypeError, match=r"^unknown argument 'status'; the known ones are protocols, headers, repeat, "):
        registry.ws(URL_, handler, status=101)
    assert "unknown" not in inspect.signature(registry.ws).parameters


def test_a_handler_that_was_called(registry):
    coroutine = handler(None)
    with pytest.raises(TypeError, match="handler must be a coroutine function, got <coroutine object"):
        registry.ws(URL_, coroutine)
    coroutine.close()


def test_an_async_generator_function_is_no_handler(registry):
    async def messages(ws):
        yield "a"

    with pytest.raises(TypeError, match="handler must be a coroutine function"):
        registry.ws(URL_, messages)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"protocols": "chat"}, TypeError, "protocols must be a list of str, got 'chat'; write protocols=['chat']"),
        ({"protocols": 1}, TypeError, "protocols must be a list of str, got 1; write protocols=['chat']"),
        (
            {"protocols": ["a b"]},
            ValueError,
            "protocols must be names of subprotocols without spaces, got 'a b'; for example protocols=['graphql-ws']",
        ),
        ({"protocols": [""]}, ValueError, "protocols must be names of subprotocols without spaces, got ''"),
        ({"protocols": [b"a"]}, ValueError, "protocols must be names of subprotocols without spaces, got b'a'"),
        ({"headers": {"X-A": "a\nb"}}, ValueError, None),
        ({"headers": {"X-A": 1}}, TypeError, None),
        ({"headers": [("X-A", "1")]}, TypeError, None),
        ({"repeat": -1}, ValueError, "repeat must be True, False or a positive number, got -1; pass True for no limit"),
        ({"protocol": "chat"}, TypeError, "unknown argument 'protocol'; did you mean 'protocols'?"),
        ({"times": 2}, TypeError, "unknown argument 'times'; did you mean 'repeat'?"),
        ({"repeat": "2"}, TypeError, None),
        ({"delay": -1}, ValueError, None),
        ({"delay": "1"}, TypeError, None),
        ({"fault": "reset"}, TypeError, None),
        ({"match": 1}, TypeError, None),
        ({"match_headers": 1}, TypeError, None),
        ({"match_query": 1}, TypeError, None),
        ({"method": "POST"}, TypeError, None),
        ({"match_json": {}}, TypeError, None),
        ({"callback": print}, TypeError, None),
    ],
)
def test_what_cannot_be_served_is_refused(registry, options, kind, message):
    with pytest.raises(kind, match=message and re.escape(message)):
        registry.ws(URL_, handler, **options)
    assert registry.routes == []


@pytest.mark.parametrize("url", ["", "socket", "ftp://h.test/", 1, None, re.compile(b"x")])
def test_urls_that_cannot_be_registered(registry, url):
    with pytest.raises((TypeError, ValueError)):
        registry.ws(url, handler)
    assert registry.routes == []


# URLs.


@pytest.mark.parametrize("registered", ["ws://h.test/", "http://h.test", "WS://H.TEST:80/#x", URL("ws://h.test/")])
@pytest.mark.parametrize("requested", ["ws://h.test/", "http://h.test/", "http://h.test:80/"])
def test_ws_is_http(registry, registered, requested):
    route = registry.ws(registered, handler)
    assert shake(registry, requested).route is route
    assert registry.requests == {("GET", URL("http://h.test/")): route.requests}
    registry.assert_called_once_with("ws://h.test/")
    registry.assert_called_once_with("http://h.test/")


@pytest.mark.parametrize("registered", ["wss://h.test/?a=1&b=2", "https://h.test/?b=2&a=1", "wss://h.test:443?a=1&b=2"])
def test_wss_is_https(registry, registered):
    route = registry.ws(registered, handler, repeat=True)
    for requested in ("wss://h.test/?a=1&b=2", "https://h.test:443/?b=2&a=1"):
        assert shake(registry, requested).route is route
    for other in ("ws://h.test/?a=1&b=2", "wss://h.test:80/?a=1&b=2", "wss://h.test/?a=1"):
        assert shake(registry, other).route is None
    assert registry.covers(URL("wss://h.test/other"))
    assert registry.covers(URL("https://h.test/other"))
    assert not registry.covers(URL("ws://h.test/other"))


@pytest.mark.parametrize("text", [r"wss?://h\.test/socket/\d+", r"https://h\.test/socket/\d+", r".*/socket/\d+$"])
def test_patterns(registry, text):
    route = registry.ws(re.compile(text), handler, repeat=True)
    assert shake(registry, "wss://h.test/socket/7").route is route
    assert shake(registry, "https://h.test/socket/8").route is route
    assert shake(registry, "https://h.test/socket/x").route is None
    assert get(registry, "https://h.test/socket/7").route is None


def test_params(registry):
    route = registry.ws("wss://h.test/socket?a=1", handler, params={"b": "2"})
    assert shake(registry, "https://h.test/socket?b=2&a=1").route is route


def test_a_pattern_for_any_spelling_gives_the_callback_its_match(registry):
    matches = []
    registry.get(re.compile(r"wss://h\.test/(?P<room>\d+)"), callback=lambda url, match: matches.append(match["room"]))
    with pytest.raises(TypeError):
        reply(registry, get(registry, "https://h.test/7"))
    assert matches == ["7"]


# The order among other routes.


def test_one_queue_in_the_order_of_registration(registry):
    routes = [
        registry.get(URL_, status=403),
        registry.ws("wss://h.test/socket", handler),
        registry.get("wss://h.test/socket", status=500),
        registry.ws(URL_, handler, repeat=2),
    ]
    asked = [shake(registry).route for _ in range(6)]
    assert asked == [routes[0], routes[1], routes[2], routes[3], routes[3], None]


def test_a_refused_handshake_is_an_ordinary_reply(registry):
    registry.get("wss://h.test/socket", status=403, body="no")
    answer = reply(registry, shake(registry))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (403, b"no")


def test_a_get_that_is_no_handshake_skips_websockets(registry):
    socket, page, other = registry.ws(URL_, handler), registry.get(URL_), registry.get(URL_, status=404)
    assert get(registry).route is page
    assert shake(registry).route is socket
    assert get(registry).route is other
    assert get(registry).route is None


@pytest.mark.parametrize(
    ("method", "headers", "is_handshake"),
    [
        ("GET", {"Upgrade": "websocket"}, True),
        ("get", {"UPGRADE": " WebSocket "}, True),
        ("GET", {"Connection": "Upgrade"}, False),
        ("GET", {"Upgrade": "h2c"}, False),
        ("GET", {}, False),
        ("POST", {"Upgrade": "websocket"}, False),
        ("HEAD", {"Upgrade": "websocket"}, False),
    ],
)
def test_what_is_a_handshake(registry, method, headers, is_handshake):
    route = registry.ws(URL_, handler)
    record = registry.match(make_request(method, URL_, headers=headers))
    assert (record.route is route) is is_handshake


def test_being_a_handshake_is_no_condition(registry):
    # One with conditions would come before those without.
    first, second = registry.get(URL_), registry.ws(URL_, handler)
    assert [shake(registry).route, shake(registry).route] == [first, second]


def test_a_route_for_any_method_comes_after_one_for_websockets(registry):
    any_method, socket = registry.add(URL_, "ANY", repeat=True), registry.ws(URL_, handler)
    assert [shake(registry).route, shake(registry).route, get(registry).route] == [socket, any_method, any_method]


def test_exact_urls_come_before_patterns(registry):
    pattern, exact = registry.ws(re.compile("wss://h.*"), handler), registry.ws(URL_, handler)
    assert [shake(registry).route, shake(registry).route] == [exact, pattern]


def test_a_plain_get_goes_on_to_a_pattern(registry):
    registry.ws(URL_, handler)
    pattern = registry.get(re.compile(r"https://h\.test/"))
    assert get(registry).route is pattern


@pytest.mark.parametrize("repeat", [False, 2, True])
def test_a_websocket_behind_a_get_with_repeat_true_would_never_be_used(registry, repeat):
    registry.get(URL_, repeat=True)
    with pytest.raises(ValueError, match=re.escape(f"GET {URL_} {BEHIND_REPEAT}")):
        registry.ws(URL_, handler, repeat=repeat)


def test_a_get_behind_a_websocket_with_repeat_true_is_for_plain_requests(registry):
    socket = registry.ws(URL_, handler, repeat=True)
    once, always = registry.get(URL_), registry.get(URL_, repeat=True)
    assert [get(registry).route for _ in range(3)] == [once, always, always]
    assert [shake(registry).route for _ in range(3)] == [socket] * 3
    with pytest.raises(ValueError, match=BEHIND_REPEAT):
        registry.ws(URL_, handler)


def test_repeat_true_replaces_an_earlier_one_of_its_kind(registry):
    registry.ws(URL_, handler, repeat=True)
    page = registry.get(URL_, status=404)
    new = registry.ws(URL_, handler, repeat=True)
    assert shake(registry).route is page
    assert shake(registry).route is new
    with pytest.raises(ValueError, match=BEHIND_REPEAT):
        registry.ws(URL_, handler)


def test_a_released_handshake_is_the_next_one_again(registry):
    route = registry.ws(URL_, handler)
    request = make_request("GET", URL_, headers=HANDSHAKE)
    assert registry.reserve(make_request("GET", URL_)) is None
    assert registry.reserve(request) is route
    assert registry.reserve(request) is None
    registry.release(route)
    assert registry.match(request).route is route


def test_removed_and_cleared(registry):
    route = registry.ws(URL_, handler, repeat=True)
    registry.remove(route)
    assert shake(registry).route is None
    registry.get(URL_, repeat=True)
    registry.clear()
    registry.ws(URL_, handler)
    assert shake(registry).route is not None


def test_with_the_rules_of_aioresponses():
    registry = Registry(AIORESPONSES_RULES)
    registry.get(URL_, repeat=True)
    registry.ws(URL_, handler)
    assert shake(registry).route is not None


# Conditions.


def test_conditions(registry):
    plain = registry.ws("wss://h.test/socket", handler, repeat=True)
    by_header = registry.ws(URL_, handler, match_headers={"Authorization": "Bearer t"})
    by_query = registry.ws(URL_, handler, match_query={"room": "1"})
    by_function = registry.ws(URL_, handler, match=lambda request: "X-Match" in request.headers)
    assert shake(registry, headers={"Authorization": "Bearer t"}).route is by_header
    assert shake(registry, f"{URL_}?room=1&other=2").route is by_query
    assert shake(registry, headers={"X-Match": "1"}).route is by_function
    assert shake(registry, headers={"Authorization": "Bearer other"}).route is plain


def test_conditions_need_no_body(registry):
    registry.ws(URL_, handler, match_headers={"X-A": "1"}, match_query={"a": "1"})
    request = make_request("GET", f"{URL_}?a=1", headers={**HANDSHAKE, "X-A": "1"})
    assert registry.matches_head(request)


def test_conditions_are_not_evaluated_for_a_plain_get(registry):
    asked = []
    registry.ws(URL_, handler, match=asked.append)
    assert get(registry).route is None
    assert asked == []


def test_faults(registry):
    registry.ws(URL_, handler, fault=Fault.RESET)
    registry.ws(URL_, handler, fault=OSError("unreachable"))
    first, second = reply(registry, shake(registry)), reply(registry, shake(registry))
    assert isinstance(first, FaultReply)
    assert first.fault is Fault.RESET
    assert isinstance(second, FaultReply)
    assert str(second.fault) == "unreachable"
    # A fault of a WebSocket is not for other requests.
    registry.ws(URL_, handler, fault=Fault.RESET)
    assert get(registry).route is None


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.has_body])
def test_a_fault_that_sends_a_part_of_a_body_is_for_other_replies(registry, fault):
    with pytest.raises(ValueError, match=f"^fault={fault} sends a part of the body, and the reply to a WebSocket hand"):
        registry.ws(URL_, handler, fault=fault)


def test_optional(registry):
    registry.ws(URL_, handler, optional=True)
    registry.assert_all_called()
    registry.ws("wss://h.test/other", handler)
    with pytest.raises(AssertionError, match=r"1 route was never used: GET https://h\.test/other"):
        registry.assert_all_called()


# What an unmatched request is told.


def explanation(record):
    assert record.unmatched
    return record.explanation


def test_the_explanation_of_a_plain_get_says_that_it_is_no_handshake(registry):
    registry.ws("wss://h.test/socket", handler)
    record = get(registry)
    expected = f"no route matches GET {URL_}; nearest: GET {URL_} (the request is not a WebSocket handshake)"
    assert explanation(record) == expected
    answer = reply(registry, record)
    assert isinstance(answer, CloseConnection)
    assert answer.explanation == expected


@pytest.mark.parametrize("order", ["ws get", "get ws"])
def test_the_explanation_of_a_plain_get_after_the_last_plain_reply_is_the_same(registry, order):
    for kind in order.split():
        registry.ws(URL_, handler) if kind == "ws" else registry.get(URL_)
    assert get(registry).route is not None
    assert "(the request is not a WebSocket handshake)" in explanation(get(registry))


def test_the_explanation_of_a_plain_get_says_that_it_is_no_handshake_although_the_route_is_exhausted(registry):
    registry.ws(URL_, handler)
    shake(registry)
    assert explanation(get(registry)).endswith("(the request is not a WebSocket handshake; exhausted after 1 call)")


def test_a_plain_get_with_conditions(registry):
    registry.ws(URL_, handler, match_headers={"X-A": "1"})
    assert "is not a WebSocket handshake" in explanation(get(registry, **{"X-A": "1"}))
    registry.clear()
    registry.ws(re.compile(r"https://h\.test/so.*"), handler)
    assert "the request is not a WebSocket handshake" in explanation(get(registry))


def test_a_handshake_that_comes_too_often(registry):
    registry.ws(URL_, handler)
    shake(registry)
    assert explanation(shake(registry)) == (
        f"no reply is left for GET {URL_}: it was registered for 1 call and answered 1; "
        "register it again, or pass repeat=2 or repeat=True"
    )


def test_a_handshake_for_another_url_or_header(registry):
    registry.ws("wss://h.test/sockets", handler, match_headers={"X-A": "1"})
    text = explanation(shake(registry))
    assert text.startswith(f"no route matches GET {URL_}; nearest: GET https://h.test/sockets (differs in path")
    assert "handshake" not in text
