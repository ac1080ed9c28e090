"""A pattern is matched against the URL as the client sent it, whichever spelling was sent first."""

import re

import pytest
from yarl import URL

from aiointercept_core import PlainRequest, Registry

SPELLINGS = ["http://example.com", "http://example.com/"]


@pytest.mark.parametrize("order", [SPELLINGS, SPELLINGS[::-1]], ids=["bare first", "slash first"])
def test_two_spellings_of_one_url_are_two_texts(order):
    registry = Registry()
    bare = registry.get(re.compile(r"^http://example\.com$"), repeat=True)
    slash = registry.get(re.compile(r"^http://example\.com/$"), repeat=True)
    for text in order * 2:
        expected = bare if text == SPELLINGS[0] else slash
        assert registry.match(PlainRequest("GET", URL(text))).route is expected
