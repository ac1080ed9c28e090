"""Nothing is forwarded to a port of a mock of this process, nor for programs other than this process's own clients."""

import aiohttp
import pytest
from aiohttp import ClientSession, TCPConnector
from support import Names, raw_exchange, real_server

from aiointercept import aiointercept


def forwarding(**options) -> aiointercept:
    return aiointercept(mock_external_urls=True, passthrough_unmatched=True, **options)


def session_with(names: Names) -> ClientSession:
    return ClientSession(connector=TCPConnector(resolver=names), timeout=aiohttp.ClientTimeout(5))


def explanations(*mocks: aiointercept) -> list[tuple[bool, str | None]]:
    return [(record.unmatched, record.explanation) for m in mocks for record in m.journal.records]


@pytest.mark.parametrize("host", ["localhost", "deep.localhost", "127.0.0.2", "[::1]"])
async def test_a_request_for_the_mocks_own_port_under_a_loopback_name_is_unmatched(host):
    async with forwarding(mock_ip_addresses=True) as m, session_with(Names()) as session:
        m.get(f"http://{host}:{m.server_port}/known")
        with pytest.raises(aiohttp.ServerDisconnectedError, match="differs in path"):
            await session.get(f"http://{host}:{m.server_port}/typo")
        assert [unmatched for unmatched, _ in explanations(m)] == [True]


async def test_a_request_for_the_mocks_own_port_that_no_mock_redirects_is_unmatched():
    async with forwarding() as m, session_with(Names()) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"http://localhost:{m.server_port}/typo")
        assert [unmatched for unmatched, _ in explanations(m)] == [True]


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("which", ["own", "another mock's", "https"])
async def test_a_name_that_leads_to_a_port_of_a_mock_is_not_forwarded(which, address):
    async with forwarding() as m, aiointercept() as other, session_with(Names(address=address)) as session:
        port = {"own": m.server_port, "another mock's": other.server_port}.get(which)
        if port is None:
            port = m._running._listener.address("https")[1]
        url = f"http://name.example:{port}/typo"
        m.get(f"http://name.example:{port}/known")
        message = f"GET {url} is not forwarded, because it leads to a port of a mock of this process"
        with pytest.raises(aiohttp.ServerDisconnectedError, match="is not forwarded"):
            await session.get(url)
        assert explanations(m, other) == [(True, f"{message}: register a reply to it")]
        with pytest.raises(aiohttp.ServerDisconnectedError, match="is not forwarded"):
            await session.post(url, data=b"x" * 300_000)
        assert (m.call_count, other.call_count) == (2, 0)
        with pytest.raises(AssertionError, match="is not forwarded"):
            m.assert_all_matched()


async def test_a_program_that_is_no_client_of_this_process_gets_nothing_from_the_real_network():
    async with real_server() as real, forwarding() as m:
        for head in (
            f"GET http://127.0.0.1:{real.port}/admin HTTP/1.1\r\nHost: x.example",
            f"GET /admin HTTP/1.1\r\nHost: localhost:{real.port}",
        ):
            assert await raw_exchange(m.server_port, f"{head}\r\nConnection: close\r\n\r\n".encode()) == b""
        assert real.hits == []
        assert [unmatched for unmatched, _ in explanations(m)] == [True, True]
        m.get(f"http://localhost:{real.port}/admin", body="mocked")
        data = f"GET /admin HTTP/1.1\r\nHost: localhost:{real.port}\r\nConnection: close\r\n\r\n"
        assert (await raw_exchange(m.server_port, data.encode())).endswith(b"mocked")
