"""Reserving a reply before its request has come: the next request gets another, and what is released comes next."""

import re

import pytest
from yarl import URL

from aiointercept_core import PlainRequest, Registry

HERE = URL("http://a.test/")


@pytest.fixture(params=[False, True], ids=["strict", "lenient"])
def registry(request):
    return Registry(lenient=request.param)


def chosen(registry, url=HERE, reserved=None):
    return registry.choose(PlainRequest("GET", url), reserved).response


def test_a_reserved_reply_is_consumed_and_given_to_its_own_request(registry):
    first, second = registry.get(HERE, status=201), registry.get(HERE, status=202)
    assert registry.reserve("get", HERE) is first
    assert chosen(registry) is second
    assert chosen(registry, reserved=first) is first
    assert (first.call_count, second.call_count, registry.call_count) == (1, 1, 2)
    assert registry.reserve("GET", HERE) is None
    assert chosen(registry) is None


@pytest.mark.parametrize("target", [HERE, re.compile(".*")], ids=["exact", "pattern"])
@pytest.mark.parametrize("repeat", [1, 2, True])
def test_a_released_reply_is_the_next_one_again(registry, target, repeat):
    reply = registry.add(target, repeat=repeat)
    later = registry.get(re.compile(".+"))
    assert registry.reserve("GET", HERE) is reply
    if reply.remaining == 0:
        # Found used up: only then does the queue move on.
        assert registry.peek("GET", HERE) is later
    registry.release(reply)
    assert (reply.call_count, reply.remaining) == (0, None if repeat is True else repeat)
    assert registry.peek("GET", HERE) is reply


def test_releasing_after_clear_brings_nothing_back(registry):
    reply = registry.get(HERE)
    registry.reserve("GET", HERE)
    registry.clear()
    registry.release(reply)
    assert registry.peek("GET", HERE) is None


def test_what_is_released_is_used_up_and_explained_as_often_as_it_answered(registry):
    reply = registry.get(HERE, repeat=2)
    for _ in range(2):
        registry.reserve("GET", HERE)
    assert "after 2 calls" in registry.choose(PlainRequest("GET", HERE)).explanation
    registry.release(reply)
    assert chosen(registry) is reply
    assert "after 2 calls" in registry.choose(PlainRequest("GET", HERE)).explanation


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "unheard-of"])
async def test_a_lenient_registry_drops_an_encoding_that_it_cannot_tell(coding):
    registry = Registry(lenient=True)
    for method, left in [("GET", None), ("HEAD", coding)]:
        registry.add(HERE, method, body="plain", headers={"Content-Encoding": coding})
        reply = await registry.answer(PlainRequest(method, HERE))
        assert reply.headers.get("Content-Encoding") == left
