"""Each async runner really runs tests that have their mock from a block, a decorator, a class and a fixture."""

import pytest
from pytest_runs import run_in_subprocess

pytest_plugins = ["pytester"]

# What everybody writes. `async_fixture` is how the runner at hand marks async fixtures.
EVERYDAY = """
import asyncio

import aiohttp
import pytest
{imports}

from aiointercept import aiointercept

URL = "https://api.example.test/x"


async def ask(m, payload="found", url=URL):
    m.get(url, payload=payload)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.json() == payload
    m.assert_called_once_with(url)


{marked}
async def test_block():
    async with aiointercept(mock_external_urls=True) as m:
        await ask(m)
    with aiointercept(mock_external_urls=True) as m:
        await ask(m)


@aiointercept(mock_external_urls=True)
{marked}
@pytest.mark.parametrize("payload", [1, 2])
async def test_decorator_outside(payload, tmp_path, m):
    assert tmp_path.is_dir()
    await ask(m, payload)


{marked}
@pytest.mark.parametrize("payload", [1, 2])
@aiointercept(mock_external_urls=True)
async def test_decorator_inside(payload, tmp_path, m):
    assert tmp_path.is_dir()
    await ask(m, payload)


@aiointercept(mock_external_urls=True)
{marked}
class TestClass:
    async def test_method(self, tmp_path, m):
        assert tmp_path.is_dir()
        await ask(m)


{async_fixture}
@aiointercept(mock_external_urls=True)
async def decorated(tmp_path, m):
    assert tmp_path.is_dir()
    yield m
    m.assert_called_once_with(URL)


{async_fixture}
async def with_block():
    async with aiointercept(mock_external_urls=True) as m:
        yield m


{marked}
async def test_async_fixtures(with_block, decorated):
    await ask(decorated)


{marked}
async def test_our_fixtures(aiointercept_mock, aiointercept_external):
    await ask(aiointercept_external)
    await ask(aiointercept_mock, url=f"{{aiointercept_mock.server_url}}/x")


@aiointercept(mock_external_urls=True)
def test_sync(tmp_path, m):
    asyncio.run(ask(m))
"""
EVERYDAY_COUNT = 9


def test_pytest_asyncio_strict(pytester):
    everyday = EVERYDAY.format(
        imports="import pytest_asyncio", marked="@pytest.mark.asyncio", async_fixture="@pytest_asyncio.fixture"
    )
    session = """
import asyncio

import pytest
import pytest_asyncio
from test_everyday import ask

from aiointercept import CallbackResult, aiointercept

pytestmark = pytest.mark.asyncio(loop_scope="session")
loops = []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
@aiointercept(mock_external_urls=True)
async def shared(m):
    loops.append(asyncio.get_running_loop())
    yield m
    loops.append(asyncio.get_running_loop())


async def answer(url, **_):
    loops.append(asyncio.get_running_loop())
    return CallbackResult(payload="found")


@pytest.mark.parametrize("turn", [1, 2])
@aiointercept()
async def test_on_the_loop_of_the_session(shared, turn, m):
    await ask(shared)
    url = f"{m.server_url}/x"
    m.get(url, callback=answer)
    await ask(m, url=url)
    assert set(loops) == {asyncio.get_running_loop()}
    assert len(loops) == 1 + turn
    shared.clear()
"""
    pytester.makepyfile(test_everyday=everyday, test_session=session)
    result = run_in_subprocess(
        pytester,
        *("-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function"),
        plugins=("pytest_asyncio.plugin",),
    )
    result.assert_outcomes(passed=EVERYDAY_COUNT + 2)


@pytest.mark.long
def test_pytest_asyncio_auto_with_the_loop_of_the_session(pytester):
    pytester.makepyfile(test_everyday=EVERYDAY.format(imports="", marked="", async_fixture="@pytest.fixture"))
    result = run_in_subprocess(
        pytester,
        *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=session"),
        *("-o", "asyncio_default_test_loop_scope=session"),
        plugins=("pytest_asyncio.plugin",),
    )
    result.assert_outcomes(passed=EVERYDAY_COUNT)


@pytest.mark.long
def test_pytest_aiohttp(pytester):
    own = """
from aiohttp import ClientSession, web
from test_everyday import URL

from aiointercept import aiointercept


async def handle(request):
    # One's own application, under test, calls a service that is not there.
    async with ClientSession() as session, session.get(URL) as response:
        return web.json_response({"from the service": await response.json()})


@aiointercept(mock_external_urls=True)
async def test_own_application(aiohttp_client, m):
    m.get(URL, payload="found")
    application = web.Application()
    application.router.add_get("/", handle)
    client = await aiohttp_client(application)
    response = await client.get("/")
    assert await response.json() == {"from the service": "found"}
    m.assert_called_once_with(URL)
"""
    everyday = EVERYDAY.format(imports="", marked="", async_fixture="@pytest.fixture")
    pytester.makepyfile(test_everyday=everyday, test_own=own)
    result = run_in_subprocess(
        pytester,
        *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
        plugins=("pytest_asyncio.plugin", "pytest_aiohttp.plugin"),
    )
    result.assert_outcomes(passed=EVERYDAY_COUNT + 1)


@pytest.mark.long
def test_anyio(pytester):
    everyday = EVERYDAY.format(imports="", marked="@pytest.mark.anyio", async_fixture="@pytest.fixture")
    conftest = """
import pytest

@pytest.fixture(params=["asyncio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return request.param
"""
    on_trio = """
import httpx
import pytest

from aiointercept import CallbackResult, aiointercept

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


async def answer(url, **_):
    return CallbackResult(payload="found")


async def ask(m):
    url = f"{m.server_url}/x"
    m.get(url, callback=answer)
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).json() == "found"
    m.assert_called_once_with(url)


async def test_block():
    async with aiointercept() as m:
        await ask(m)
    with aiointercept() as m:
        await ask(m)


@aiointercept()
async def test_decorator(tmp_path, m):
    await ask(m)


@pytest.fixture
@aiointercept()
async def decorated(m):
    yield m
    m.assert_called_once()


async def test_fixtures(decorated, aiointercept_mock):
    await ask(decorated)
    await ask(aiointercept_mock)
"""
    (pytester.path / "everyday").mkdir()
    (pytester.path / "everyday" / "conftest.py").write_text(conftest)
    (pytester.path / "everyday" / "test_everyday.py").write_text(everyday)
    pytester.makepyfile(test_on_trio=on_trio)
    result = run_in_subprocess(pytester, plugins=("anyio.pytest_plugin",))
    result.assert_outcomes(passed=2 * (EVERYDAY_COUNT - 1) + 1 + 2 * 3)
