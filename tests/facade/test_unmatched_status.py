"""`unmatched_status` answers unmatched requests with a status, so that SDKs do not retry."""

import aiohttp
import pytest
from support import fetch

from aiointercept import aiointercept

URL = "https://api.example.com/x"


@pytest.mark.parametrize("status", [501, 404, 200])
async def test_unmatched_requests_get_the_status_and_the_explanation(status):
    async with aiointercept(mock_external_urls=True, unmatched_status=status) as m, aiohttp.ClientSession() as session:
        m.get(URL)
        for method in ("POST", "HEAD", "POST"):
            async with session.request(method, URL) as response:
                text = await response.text()
                assert response.status == status
                if method == "POST":
                    assert text.startswith(f"no route matches POST {URL}; nearest: GET {URL} (differs in method)")
                    assert response.content_type == "text/plain"
                else:
                    assert text == ""
        with pytest.raises(AssertionError, match="3 did not"):
            m.assert_all_matched()


async def test_code_that_retries_network_errors_makes_one_request():
    async with aiointercept(mock_external_urls=True, unmatched_status=501) as m:
        for _ in range(5):
            try:
                assert (await fetch(URL)).status == 501
                break
            except aiohttp.ClientConnectionError:
                pass
        assert m.call_count == 1


@pytest.mark.parametrize("status", [100, 204, 304, 600, "501", 501.0, True])
def test_other_values_are_refused(status):
    with pytest.raises(ValueError, match="unmatched_status must be a status from 200 to 599 that allows a body, got "):
        aiointercept(unmatched_status=status)
