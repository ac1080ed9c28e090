"""Reserving a reply before its request arrives: the next request gets another one; a released reply is used next."""

import re

import pytest
from memory_client import AIORESPONSES_RULES
from yarl import URL

from aiointercept_core import PlainRequest, Registry, RegistryRules

HERE = URL("http://a.test/")


@pytest.fixture(params=[RegistryRules(), AIORESPONSES_RULES], ids=["default rules", "aioresponses rules"])
def registry(request):
    return Registry(request.param)


REQUEST = PlainRequest("GET", HERE)


def matched(registry, reserved=None):
    return registry.match(REQUEST, reserved).route


def test_a_reserved_reply_is_consumed_and_used_for_its_own_request(registry):
    first, second = registry.get(HERE, status=201), registry.get(HERE, status=202)
    assert registry.reserve(PlainRequest("get", HERE)) is first
    assert matched(registry) is second
    assert matched(registry, reserved=first) is first
    assert (first.call_count, second.call_count, registry.call_count) == (1, 1, 2)
    assert registry.reserve(REQUEST) is None
    assert matched(registry) is None


@pytest.mark.parametrize("target", [HERE, re.compile(".*")], ids=["exact", "pattern"])
@pytest.mark.parametrize("repeat", [1, 2, True])
def test_a_released_reply_is_used_next(registry, target, repeat):
    route = registry.add(target, repeat=repeat)
    later = registry.get(re.compile(".+"), repeat=2)
    assert registry.reserve(REQUEST) is route
    if route.remaining == 0:
        # The queue goes on to the next route when it finds this one exhausted.
        assert matched(registry) is later
    registry.release(route)
    assert (route.call_count, route.remaining) == (0, None if repeat is True else repeat)
    assert matched(registry) is route


def test_releasing_after_clear_has_no_effect(registry):
    route = registry.get(HERE)
    registry.reserve(REQUEST)
    registry.clear()
    registry.release(route)
    assert registry.reserve(REQUEST) is None


def test_a_released_reply_is_exhausted_again(registry):
    route = registry.get(HERE, repeat=2)
    for _ in range(2):
        registry.reserve(REQUEST)
    assert "for 2 calls and answered 2" in registry.match(REQUEST).explanation
    registry.release(route)
    assert matched(registry) is route
    assert "for 2 calls and answered 2" in registry.match(REQUEST).explanation


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "unheard-of"])
async def test_an_encoding_that_cannot_be_checked_can_be_dropped(coding):
    registry = Registry(AIORESPONSES_RULES)
    for method, left in [("GET", None), ("HEAD", coding)]:
        registry.add(HERE, method, body="plain", headers={"Content-Encoding": coding})
        reply = await registry.answer(PlainRequest(method, HERE))
        assert reply.headers.get("Content-Encoding") == left
