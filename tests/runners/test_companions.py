"""pytest-socket, pytest-randomly and pytest-xdist in one run with the plugin, as projects have them."""

import pytest
from pytest_runs import report_sections, run_in_subprocess

pytest_plugins = ["pytester"]


@pytest.mark.long
def test_sockets_are_guarded_the_order_is_random_and_workers_share_the_tests(pytester):
    """pytest-socket allows what goes to loopback, all that a mock needs; a worker's reports keep their sections."""
    pytester.makepyfile(
        """
        import asyncio
        import os
        import socket

        import aiohttp
        import pytest
        import requests
        from pytest_socket import SocketConnectBlockedError

        from aiointercept import aiointercept

        URL = "https://api.example.test/x"


        async def ask(url, **options):
            connector = aiohttp.TCPConnector(**options)
            async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as response:
                return await response.json()


        def test_the_guard_is_there():
            with pytest.warns(UserWarning), pytest.raises(SocketConnectBlockedError):
                socket.create_connection(("127.0.0.2", 9))


        def test_the_workers():
            assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "2"


        def test_the_order(pytestconfig):
            assert pytestconfig.getoption("randomly_seed") == 12345


        @pytest.mark.parametrize("number", range(4))
        def test_block(number):
            with aiointercept(mock_external_urls=True) as m:
                m.get(URL, payload=number)
                assert asyncio.run(ask(URL)) == number


        @pytest.mark.parametrize("number", range(4))
        @aiointercept(mock_external_urls=True)
        async def decorated(number, m):
            m.get(URL, payload=number)
            assert await ask(URL) == number


        @pytest.mark.parametrize("number", range(4))
        def test_decorator(number):
            asyncio.run(decorated(number))


        @pytest.mark.parametrize("number", range(4))
        def test_fixtures(aiointercept_mock, aiointercept_external, number):
            aiointercept_external.get(URL, payload=number)
            assert asyncio.run(ask(URL)) == number
            aiointercept_mock.get(f"{aiointercept_mock.server_url}/x", payload=number)
            assert requests.get(f"{aiointercept_mock.server_url}/x").json() == number


        @pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
        def test_ipv6(aiointercept_external):
            aiointercept_external.get(URL, payload=6)
            assert asyncio.run(ask(URL, family=socket.AF_INET6)) == 6


        def test_unmatched(aiointercept_external):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                asyncio.run(ask("https://unknown.example.test/"))


        @pytest.mark.parametrize("number", range(2))
        def test_fails(aiointercept_external, number):
            aiointercept_external.get(URL, payload=number)
            asyncio.run(ask(URL))
            assert False
        """
    )
    options = ("--disable-socket", "--allow-hosts=127.0.0.1,::1", "-n2", "--randomly-seed=12345", "--tb=short")
    result = run_in_subprocess(pytester, *options, plugins=("pytest_socket", "randomly", "xdist"))
    result.assert_outcomes(passed=3 + 3 * 4 + 2, failed=2)
    shown = report_sections(result)
    assert len(shown) == 2
    for title, request in shown:
        assert title.endswith(" received 1 request")
        assert request.startswith("  GET  https://api.example.test/x  200  ")
