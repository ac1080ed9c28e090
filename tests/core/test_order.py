"""The order in which routes are asked, and that each reply is used once."""

import itertools
import re
import threading

import pytest
from memory_client import make_request, match

from aiointercept_core import Registry

URL = "https://api.test/users"
PATTERN = re.compile(r"https://api\.test/")
EVERY = {"match": lambda request: True}

# In the order of their weight.
KINDS = [
    (url, method, conditions)
    for url, conditions, method in itertools.product((URL, PATTERN), (EVERY, {}), ("GET", "ANY"))
]


@pytest.mark.parametrize("order", [KINDS, KINDS[::-1], KINDS[1::2] + KINDS[::2]])
def test_weight_decides_before_the_order_of_registration(order):
    registry = Registry()
    routes = {
        index: registry.add(url, method, **conditions)
        for url, method, conditions in order
        for index in [KINDS.index((url, method, conditions))]
    }
    answered = [match(registry, "GET", URL).route for _ in KINDS]
    assert answered == [routes[index] for index in range(len(KINDS))]


def test_routes_with_conditions_are_asked_in_the_order_of_registration():
    registry = Registry()
    wide, narrow = {"match_headers": {}}, {"match_json": 1}
    routes = [registry.post(URL, **conditions) for conditions in (wide, narrow, wide, narrow)]
    assert [match(registry, "POST", URL, body=b"1").route for _ in range(5)] == [*routes, None]


def test_any_method():
    registry = Registry()
    routes = [registry.any(URL), registry.add(URL, "*"), registry.add(URL, "any")]
    assert [match(registry, method, URL).route for method in ("HEAD", "OPTIONS", "BREW")] == routes


def test_each_reply_is_used_once_by_many_threads():
    registry = Registry()
    routes = [registry.post(URL, match_json=1, repeat=50), registry.post(URL, repeat=30), registry.post(PATTERN)]
    answered = []
    barrier = threading.Barrier(8)

    def client():
        barrier.wait(5)
        for _ in range(20):
            answered.append(registry.match(make_request("POST", URL, body=b"1")).route)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [answered.count(route) for route in (*routes, None)] == [50, 30, 1, 79]
    assert [len(route.requests) for route in routes] == [50, 30, 1]
    assert registry.call_count == 160
