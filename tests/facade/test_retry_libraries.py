"""Libraries that try again, as their users test them: a queue of three failures and a reply."""

import aiohttp
import pytest
from aiohttp import ClientSession

from aiointercept import Fault, aiointercept

URL = "https://api.example/job"

# Three failures; what the libraries catch by the class of the error, or by the status.
FAILURES = {
    "of the connection": [{"fault": Fault.CONNECTION_REFUSED}, {"fault": Fault.RESET}, {"fault": Fault.DISCONNECT}],
    "timeouts": [{"fault": Fault.CONNECT_TIMEOUT}, {"fault": Fault.READ_TIMEOUT}, {"fault": Fault.TOTAL_TIMEOUT}],
    "of all kinds": [{"fault": Fault.DNS_FAILURE}, {"status": 503}, {"fault": aiohttp.ServerTimeoutError("mine")}],
    "shown by a server": [{"fault": Fault.RESET}, {"fault": Fault.TRUNCATED, "body": "body"}, {"status": 500}],
}
ANY_FAILURE = (aiohttp.ClientError, TimeoutError)

three_failures = pytest.mark.parametrize("failures", FAILURES.values(), ids=FAILURES)
both_methods = pytest.mark.parametrize("method", ["GET", "POST"])


async def ask(session: ClientSession, method: str) -> object:
    """The code under test, without its retries."""
    async with session.request(method, URL, json={"name": "Ada"}, raise_for_status=True) as response:
        return await response.json()


def register(m: aiointercept, method: str, failures: list[dict[str, object]]) -> None:
    for options in failures:
        m.add(URL, method, **options)
    m.add(URL, method, payload={"done": True})


def check(m: aiointercept, method: str) -> None:
    """Four attempts were received, all with the body, and all four replies were used."""
    assert [key[0] for key, _ in m.ordered_requests] == [method] * 4
    assert [request.kwargs["json"] for _, request in m.ordered_requests] == [{"name": "Ada"}] * 4
    assert [route.call_count for route in m.routes] == [1] * 4
    m.assert_all_called()


@three_failures
@both_methods
async def test_tenacity(failures: list[dict[str, object]], method: str):
    tenacity = pytest.importorskip("tenacity")
    retry = tenacity.retry(
        retry=tenacity.retry_if_exception_type(ANY_FAILURE),
        stop=tenacity.stop_after_attempt(4),
        wait=tenacity.wait_none(),
        reraise=True,
    )
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        register(m, method, failures)
        assert await retry(ask)(session, method) == {"done": True}
        check(m, method)


async def test_tenacity_gives_up_with_the_last_error():
    tenacity = pytest.importorskip("tenacity")
    retry = tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none())
    error = ValueError("mine")
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        m.get(URL, fault=error, repeat=True)
        with pytest.raises(tenacity.RetryError) as caught:
            await retry(ask)(session, "GET")
        assert caught.value.last_attempt.exception() is error
        assert m.call_count == 3


@three_failures
@both_methods
async def test_backoff(failures: list[dict[str, object]], method: str):
    backoff = pytest.importorskip("backoff")
    met = []
    retry = backoff.on_exception(
        backoff.constant, ANY_FAILURE, interval=0, max_tries=4, on_backoff=lambda details: met.append(details["tries"])
    )
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        register(m, method, failures)
        assert await retry(ask)(session, method) == {"done": True}
        check(m, method)
    assert met == [1, 2, 3]


@pytest.mark.parametrize("name", ["of the connection", "timeouts", "of all kinds"])
@both_methods
async def test_aiohttp_retry(name: str, method: str):
    aiohttp_retry = pytest.importorskip("aiohttp_retry")
    options = aiohttp_retry.ListRetry([0, 0, 0, 0], exceptions=set(ANY_FAILURE))
    async with aiointercept(mock_external_urls=True) as m:
        register(m, method, FAILURES[name])
        client = aiohttp_retry.RetryClient(retry_options=options)
        async with client, client.request(method, URL, json={"name": "Ada"}) as response:
            assert await response.json() == {"done": True}
        check(m, method)


@pytest.mark.parametrize("external", [False, True], ids=["server_url", "redirected"])
async def test_aiohttp_retry_where_nothing_is_redirected(external: bool):
    aiohttp_retry = pytest.importorskip("aiohttp_retry")
    async with aiointercept(mock_external_urls=external) as m:
        url = URL if external else f"{m.server_url}/job"
        for options in FAILURES["of the connection"][1:]:
            m.get(url, **options)
        m.get(url, status=503)
        m.get(url, payload="done")
        client = aiohttp_retry.RetryClient(retry_options=aiohttp_retry.ListRetry([0] * 4, exceptions=set(ANY_FAILURE)))
        async with client, client.get(url) as response:
            assert await response.json() == "done"
        assert m.call_count == 4


async def test_aiohttp_retry_gives_up():
    aiohttp_retry = pytest.importorskip("aiohttp_retry")
    async with aiointercept(mock_external_urls=True) as m:
        route = m.get(URL, fault=Fault.CERTIFICATE, repeat=True)
        client = aiohttp_retry.RetryClient(retry_options=aiohttp_retry.ListRetry([0] * 3, exceptions=set(ANY_FAILURE)))
        async with client:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await client.get(URL)
        assert route.call_count == 3


async def test_the_sdk_of_slack():
    """Its URL is hard-coded, it makes its own session, and it retries by the class of the error and by the status."""
    # It cannot be imported with each release of aiohttp.
    web = pytest.importorskip("slack_sdk.web.async_client", exc_type=ImportError)
    handlers = pytest.importorskip("slack_sdk.http_retry.builtin_async_handlers")
    calculators = pytest.importorskip("slack_sdk.http_retry.builtin_interval_calculators")
    at_once = calculators.FixedValueRetryIntervalCalculator(0)
    client = web.AsyncWebClient(
        token="token",
        retry_handlers=[
            handlers.AsyncConnectionErrorRetryHandler(max_retry_count=4, interval_calculator=at_once),
            handlers.AsyncServerErrorRetryHandler(max_retry_count=4, interval_calculator=at_once),
        ],
    )
    url = "https://slack.com/api/chat.postMessage"
    for failures in (
        [{"fault": Fault.CONNECTION_REFUSED}, {"fault": Fault.RESET}, {"fault": Fault.READ_TIMEOUT}],
        [{"fault": Fault.DNS_FAILURE}, {"fault": Fault.DISCONNECT}, {"status": 503, "payload": {"ok": False}}],
    ):
        async with aiointercept(mock_external_urls=True) as m:
            for options in failures:
                m.post(url, **options)
            m.post(url, payload={"ok": True, "ts": "1.2"})
            response = await client.chat_postMessage(channel="C1", text="hello")
            assert response["ts"] == "1.2"
            assert m.call_count == 4
            assert [request.kwargs["json"]["text"] for _, request in m.ordered_requests] == ["hello"] * 4
            m.assert_called_with(url, "POST", headers={"Authorization": "Bearer token"})


@both_methods
async def test_a_loop_of_ones_own(method: str):
    async with aiointercept(mock_external_urls=True) as m, ClientSession() as session:
        register(m, method, FAILURES["of the connection"])
        errors = []
        while True:
            try:
                assert await ask(session, method) == {"done": True}
                break
            except ANY_FAILURE as exc:
                errors.append(type(exc))
        assert errors == [aiohttp.ClientConnectorError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError]
        check(m, method)
