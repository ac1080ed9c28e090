"""A new matcher needs one class: routes with conditions are matched, explained, exhausted and reserved as others."""

import json
import re

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aiointercept_core import (
    Difference,
    ExactURL,
    PlainRequest,
    Registry,
    RegistryRules,
    Response,
    Route,
    URLPattern,
)

ORDERS = URL("https://api.test/orders")
ANY_ORDER = re.compile(r"https://api\.test/orders")
HEADERS = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json"}))


class HeaderIs:
    """A matcher that is not part of the library."""

    def __init__(self, name, value):
        self.name = name
        self.value = value

    def __str__(self):
        return f"header {self.name}: {self.value}"

    def differences(self, request):
        value = request.headers.get(self.name)
        if value != self.value:
            yield Difference(f"headers[{self.name!r}]", f"expected {self.value!r}, got {value!r}")


class JSONContains:
    """Another one."""

    def __init__(self, **items):
        self.items = items

    def __str__(self):
        return f"json with {', '.join(self.items)}"

    def differences(self, request):
        sent = json.loads(request.body or b"{}")
        return [
            Difference(f"json[{name!r}]", f"expected {value!r}, got {sent.get(name)!r}")
            for name, value in self.items.items()
            if sent.get(name) != value
        ]


SHARD = HeaderIs("X-Shard", "7")
ADA = JSONContains(name="Ada")


def request(shard=None, value=None, method="POST", url=ORDERS):
    headers = CIMultiDict({} if shard is None else {"X-Shard": shard})
    return PlainRequest(method, url, headers, None if value is None else json.dumps(value).encode())


def route_for(matcher, *conditions, **options):
    return Route("post", matcher, Response(200, None, HEADERS, b"{}"), conditions=conditions, **options)


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture(params=[ExactURL(ORDERS), URLPattern(ANY_ORDER)], ids=["exact", "pattern"])
def matcher(request):
    return request.param


def matched(registry, *args, **options):
    return registry.match(request(*args, **options)).route


async def test_a_route_with_a_condition(registry, matcher):
    route = route_for(matcher, SHARD)
    registry.register(route)
    assert registry.routes == [route]
    assert matched(registry, "8") is None
    assert matched(registry, "7", method="GET") is None
    assert matched(registry, "7", url=URL("https://other.test/")) is None
    assert (await registry.answer(request("7"))).body == b"{}"
    assert (route.method, route.call_count, route.remaining) == ("POST", 1, 0)


def test_all_conditions_must_hold(registry, matcher):
    route = route_for(matcher, SHARD, ADA)
    registry.register(route)
    assert matched(registry, "7", {"name": "Bob"}) is None
    assert matched(registry, "8", {"name": "Ada"}) is None
    assert matched(registry, "7", {"name": "Ada"}) is route


def test_a_request_that_differs_gets_the_next_route(registry, matcher):
    first, second = route_for(matcher, SHARD, repeat=None), route_for(matcher, ADA, repeat=None)
    registry.register(first)
    registry.register(second)
    fallback = registry.post(ANY_ORDER, repeat=True)
    assert matched(registry, "7", {"name": "Ada"}) is first
    assert matched(registry, "8", {"name": "Ada"}) is second
    assert matched(registry, "8", {"name": "Bob"}) is fallback


def test_routes_with_conditions_come_before_those_without(registry, matcher):
    plain = route_for(matcher, repeat=None)
    conditional = route_for(matcher, SHARD)
    registry.register(plain)
    registry.register(conditional)
    assert matched(registry, "7") is conditional
    assert matched(registry, "7") is plain
    assert registry.routes == [plain, conditional]


def test_repeat_true_concerns_routes_with_the_same_conditions(registry, matcher):
    registry.register(route_for(matcher, SHARD, repeat=None))
    other = route_for(matcher, ADA)
    registry.register(other)
    assert matched(registry, "8", {"name": "Ada"}) is other
    with pytest.raises(ValueError, match=r"^POST .* with header X-Shard: 7 already has a reply with repeat=True"):
        registry.register(route_for(matcher, SHARD))


def test_the_order_of_registration_can_decide():
    registry = Registry(RegistryRules(exact_urls_first=False))
    pattern, exact = route_for(URLPattern(ANY_ORDER), SHARD), route_for(ExactURL(ORDERS))
    registry.register(pattern)
    registry.register(exact)
    assert [matched(registry, "7") for _ in range(3)] == [pattern, exact, None]


def test_the_difference_is_explained(registry, matcher):
    registry.register(route_for(matcher, SHARD, ADA))
    explanation = registry.match(request("8", {"name": "Bob"})).explanation
    assert explanation == (
        f"no route matches POST {ORDERS}; nearest: POST {matcher} "
        "(headers['X-Shard']: expected '7', got '8'; json['name']: expected 'Ada', got 'Bob')"
    )
    explanation = registry.match(request("8", {"name": "Ada"}, method="PUT")).explanation
    assert explanation.endswith("(differs in method; headers['X-Shard']: expected '7', got '8')")


def test_an_exhausted_route_is_explained(registry, matcher):
    route = route_for(matcher, SHARD, repeat=2)
    registry.register(route)
    assert [matched(registry, "7") for _ in range(3)] == [route, route, None]
    assert registry.journal.records[-1].explanation == (
        f"no reply is left for POST {ORDERS}: POST {matcher} with header X-Shard: 7 was registered for 2 calls "
        "and answered 2; register it again, or pass repeat=3 or repeat=True"
    )
    explanation = registry.match(request("8")).explanation
    assert explanation.endswith("(headers['X-Shard']: expected '7', got '8'; exhausted after 2 calls)")


def test_reserving_and_releasing(registry, matcher):
    route = route_for(matcher, SHARD)
    registry.register(route)
    assert registry.reserve(request("8")) is None
    assert registry.reserve(request("7")) is route
    assert matched(registry, "7") is None
    registry.release(route)
    assert matched(registry, "7") is route


def test_origins_are_covered_whatever_the_conditions(registry, matcher):
    registry.register(route_for(matcher, SHARD))
    assert registry.covers(ORDERS)
    assert not registry.covers(URL("https://other.test/"))


def test_a_condition_may_stand_in_place_of_the_url(registry):
    route = route_for(SHARD)
    registry.register(route)
    assert (str(route), route.url) == ("POST header X-Shard: 7", None)
    assert matched(registry, "7", url=URL("https://anywhere.test/")) is route
    assert matched(registry, "8") is None


def test_a_matched_request_formats_nothing(registry):
    class Silent:
        def __str__(self):
            raise AssertionError("not needed")

        def differences(self, request):
            return ()

    route = route_for(URLPattern(ANY_ORDER), Silent())
    registry.register(route)
    assert matched(registry) is route
