"""The plugin's fixtures and its marker, in runs of pytest that know no async plugin."""

from pytest_runs import run_in_process

pytest_plugins = ["pytester"]


def test_the_fixtures_and_how_they_go_together(pytester):
    pytester.makepyfile(
        """
        import asyncio

        import aiohttp
        import pytest
        import requests

        from aiointercept import aiointercept

        URL = "https://api.example.test/x"
        unpatched = aiohttp.TCPConnector.connect
        ports = set()


        async def ask(url):
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                return await response.json()


        def test_server(aiointercept_server):
            assert isinstance(aiointercept_server, aiointercept)
            aiointercept_server.get(f"{aiointercept_server.server_url}/x", payload=1)
            assert requests.get(f"{aiointercept_server.server_url}/x").json() == 1
            ports.add(aiointercept_server.server_port)


        @pytest.mark.parametrize("turn", [1, 2])
        def test_mock_is_the_server_emptied_after_each_test(aiointercept_mock, aiointercept_server, turn):
            assert aiointercept_mock is aiointercept_server
            aiointercept_mock.get(f"{aiointercept_mock.server_url}/x", payload=turn, repeat=True)
            assert requests.get(f"{aiointercept_mock.server_url}/x").json() == turn
            ports.add(aiointercept_mock.server_port)


        def test_it_was_emptied(aiointercept_server):
            assert aiointercept_server.routes == []
            assert aiointercept_server.requests == {}
            assert len(ports) == 1


        def test_external(aiointercept_external, aiointercept_mock):
            assert aiointercept_external is not aiointercept_mock
            aiointercept_external.get(URL, payload=2)
            aiointercept_mock.get(f"{aiointercept_mock.server_url}/x", payload=3)
            assert asyncio.run(ask(URL)) == 2
            assert asyncio.run(ask(f"{aiointercept_mock.server_url}/x")) == 3


        def test_nothing_global_stays():
            assert aiohttp.TCPConnector.connect is unpatched


        def test_the_marker_is_known(pytestconfig):
            assert any(line.startswith("aiointercept(") for line in pytestconfig.getini("markers"))
        """
    )
    run_in_process(pytester, "--strict-markers").assert_outcomes(passed=7)


def test_the_nearest_marker_counts_for_each_option(pytester):
    pytester.makepyfile(
        """
        import asyncio
        import warnings

        import aiohttp
        import pytest
        from aiohttp.abc import AbstractResolver

        pytestmark = [
            pytest.mark.aiointercept(passthrough=["of-module.test"], assert_all_called=True, mock_ip_addresses=True)
        ]


        class Asked(AbstractResolver):
            def __init__(self):
                self.names = []

            async def resolve(self, host, port=0, family=0):
                self.names.append(host.removeprefix("of-").removesuffix(".test"))
                raise OSError("no network here")

            async def close(self):
                pass


        async def ask_for_each(urls, resolver):
            answered = []
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
                for url in urls:
                    try:
                        async with session.get(url):
                            answered.append(url)
                    except aiohttp.ClientConnectionError:
                        pass
            return answered


        def hosts(mock):
            # Those for which a client looks at the real network.
            names = ("module", "base", "class", "outer", "test", "set")
            resolver = Asked()
            asyncio.run(ask_for_each([f"https://of-{name}.test/" for name in names], resolver))
            mock.clear()
            return resolver.names


        def mocks_ip_addresses(mock):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mock.get("http://127.0.0.1:1/")
            answered = asyncio.run(ask_for_each(["http://127.0.0.1:1/"], Asked()))
            mock.clear()
            return bool(answered)


        def test_module(aiointercept_external):
            assert hosts(aiointercept_external) == ["module"]
            assert mocks_ip_addresses(aiointercept_external)


        @pytest.mark.aiointercept(passthrough=["of-base.test"])
        class TestBase:
            def test_class(self, aiointercept_external):
                assert hosts(aiointercept_external) == [self.expected]

            expected = "base"

            @pytest.mark.aiointercept(passthrough=["of-outer.test"])
            @pytest.mark.aiointercept(passthrough=["of-test.test"])
            def test_of_two_the_one_next_to_the_function(self, aiointercept_external):
                assert hosts(aiointercept_external) == ["test"]
                assert mocks_ip_addresses(aiointercept_external)

            @pytest.mark.aiointercept(mock_ip_addresses=False)
            def test_each_option_by_itself(self, aiointercept_external):
                assert hosts(aiointercept_external) == [self.expected]
                assert not mocks_ip_addresses(aiointercept_external)

            @pytest.mark.aiointercept(passthrough=["of-test.test"])
            @pytest.mark.parametrize(
                ("n", "name"),
                [
                    (1, "test"),
                    pytest.param(2, "set", marks=pytest.mark.aiointercept(passthrough=["of-set.test"])),
                ],
            )
            def test_a_set_of_parameters(self, aiointercept_external, n, name):
                assert hosts(aiointercept_external) == [name]


        @pytest.mark.aiointercept(passthrough=["of-class.test"])
        class TestDerived(TestBase):
            expected = "class"


        class TestDerivedWithout(TestBase):
            pass


        class TestSingle(TestBase):
            expected = "class"
            pytestmark = pytest.mark.aiointercept(passthrough=["of-class.test"])


        @pytest.mark.aiointercept(mock_external_urls=True)
        def test_the_marker_makes_the_plain_fixture_another(aiointercept_mock, aiointercept_server):
            assert aiointercept_mock is not aiointercept_server
            assert hosts(aiointercept_mock) == ["module"]
        """
    )
    run_in_process(pytester).assert_outcomes(passed=1 + 4 * 5 + 1)


def test_what_a_marker_may_not_say(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.aiointercept(passthru=["api.example.test"], zeal=1)
        def test_unknown(aiointercept_external): ...

        @pytest.mark.aiointercept(["api.example.test"])
        def test_positional(aiointercept_mock): ...

        @pytest.mark.aiointercept(param="m")
        def test_param(aiointercept_mock): ...

        @pytest.mark.aiointercept(passthrough=["api.example.test"])
        def test_not_in_this_mode(aiointercept_mock): ...

        @pytest.mark.aiointercept(passthrough=["//"])
        def test_no_host(aiointercept_external): ...
        """
    )
    result = run_in_process(pytester)
    result.assert_outcomes(errors=5)
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*_fixtures.py*")
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.aiointercept: unknown option 'passthru'; did you mean 'passthrough'[?]",
            "@pytest.mark.aiointercept: options must be keyword arguments, got *api.example.test*; write for example *",
            "@pytest.mark.aiointercept: unknown option 'param'; *",
            "@pytest.mark.aiointercept: passthrough has no effect without mock_external_urls=True*",
            "@pytest.mark.aiointercept: passthrough: '//' is not a host*",
        ]
    )


def test_the_settings_of_a_project(pytester):
    pytester.makeini(
        """
        [pytest]
        aiointercept_raise_callback_errors = false
        aiointercept_assert_all_called = true
        aiointercept_assert_all_matched = yes
        """
    )
    pytester.makepyfile(
        """
        import pytest
        import requests

        from aiointercept import aiointercept


        def leave_unused(m):
            m.get(f"{m.server_url}/never")


        def ask_unmatched(m):
            with pytest.raises(requests.ConnectionError):
                requests.get(f"{m.server_url}/unknown")


        def fail_in_a_callback(m):
            m.get(f"{m.server_url}/x", callback=lambda url, **_: 1 / 0)
            assert requests.get(f"{m.server_url}/x").status_code == 500


        @pytest.mark.parametrize("fault", [leave_unused, ask_unmatched])
        def test_of_a_block(fault):
            with pytest.raises(AssertionError):
                with aiointercept() as m:
                    fault(m)
            with aiointercept(assert_all_called=False, assert_all_matched=False) as m:
                fault(m)


        @pytest.mark.parametrize("fault", [leave_unused, ask_unmatched])
        def test_of_a_decorator(fault):
            with pytest.raises(AssertionError):
                aiointercept()(fault)()


        def test_callback_errors_of_a_block():
            with aiointercept() as m:
                fail_in_a_callback(m)
            with pytest.raises(ZeroDivisionError):
                with aiointercept(raise_callback_errors=True) as m:
                    fail_in_a_callback(m)


        def test_callback_errors_of_a_fixture(aiointercept_mock, aiointercept_external):
            fail_in_a_callback(aiointercept_mock)
            fail_in_a_callback(aiointercept_external)


        def test_callback_errors_of_the_server(aiointercept_server):
            fail_in_a_callback(aiointercept_server)
            aiointercept_server.clear()


        @pytest.mark.aiointercept(assert_all_called=False, assert_all_matched=False)
        def test_the_marker_is_nearer(aiointercept_mock, aiointercept_external):
            for fault in (leave_unused, ask_unmatched):
                fault(aiointercept_mock)
                fault(aiointercept_external)


        @pytest.mark.parametrize("fixture", ["aiointercept_mock", "aiointercept_external"])
        @pytest.mark.parametrize("fault", [leave_unused, ask_unmatched])
        def test_error_at_teardown(fault, fixture, request):
            fault(request.getfixturevalue(fixture))
        """
    )
    result = run_in_process(pytester)
    result.assert_outcomes(passed=2 + 2 + 4 + 4, errors=4)
    result.stdout.fnmatch_lines(["E *AssertionError: *never used: GET http://127.0.0.1:*/never"])


def test_without_settings_only_callback_errors_are_checked(pytester):
    pytester.makepyfile(
        """
        def test_unused(aiointercept_mock, aiointercept_external):
            aiointercept_mock.get(f"{aiointercept_mock.server_url}/never")
            aiointercept_external.get("https://api.example.test/never")
        """
    )
    run_in_process(pytester).assert_outcomes(passed=1)


def test_the_settings_of_one_run_end_with_it(pytester):
    """A run inside a run, as this one is, leaves the outer run's settings alone."""
    from aiointercept import aiointercept

    pytester.makeini("[pytest]\naiointercept_assert_all_called = true")
    pytester.makepyfile("def test_nothing(): ...")
    run_in_process(pytester).assert_outcomes(passed=1)
    with aiointercept() as m:
        m.get(f"{m.server_url}/never")
