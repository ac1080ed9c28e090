"""Forwarding verifies the real server's certificate as the user's own client would, with the user's `ssl=` settings."""

import hashlib
import ssl

import aiohttp
import pytest
import trustme
from aiohttp import ClientSession, ClientTimeout, Fingerprint, TCPConnector
from support import Names, real_server
from yarl import URL

from aiointercept import aiointercept


@pytest.fixture(name="ca", scope="module")
def _ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="cert", scope="module")
def _cert(ca) -> trustme.LeafCert:
    return ca.issue_cert("api.example")


@pytest.fixture(name="trusting")
def _trusting(ca) -> ssl.SSLContext:
    """A client's context that knows the authority of the server's certificate."""
    # Not `create_default_context`: reading all authorities of the system takes longer than the test.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    return context


def serving(cert: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    return context


async def outcome(url: str, connector_ssl=True, **options):
    connector = TCPConnector(resolver=Names(), ssl=connector_ssl)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=10)) as session:
        try:
            async with session.get(url, **options) as response:
                return response.status, await response.text(), response.url
        except aiohttp.ClientError as exc:
            return type(exc), str(exc)


async def both(port: int, host: str = "api.example", **options):
    """Ask without a mock and by way of one that forwards."""
    url = f"https://{host}:{port}/"
    direct = await outcome(url, **options)
    async with aiointercept(mock_external_urls=True, passthrough_unmatched=True) as m:
        forwarded = await outcome(url, **options)
        assert list(m.requests) == [("GET", URL(url))]
    return direct, forwarded


@pytest.mark.parametrize("where", ["request", "connector"])
@pytest.mark.parametrize("setting", ["trusting", "default", "off", "fingerprint", "wrong fingerprint"])
async def test_the_settings_of_a_request_or_of_the_connector_count(cert, trusting, where, setting):
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.cert_chain_pems[0].bytes().decode())).digest()
    value = {
        "trusting": trusting,
        "default": True,
        "off": False,
        "fingerprint": Fingerprint(digest),
        "wrong fingerprint": Fingerprint(bytes(32)),
    }[setting]
    options = {"ssl": value} if where == "request" else {"connector_ssl": value}
    async with real_server(ssl=serving(cert)) as real:
        direct, forwarded = await both(real.port, **options)
    assert forwarded == direct
    expected = {
        "default": aiohttp.ClientConnectorCertificateError,
        "wrong fingerprint": aiohttp.ServerFingerprintMismatch,
    }
    assert forwarded[0] == expected.get(setting, 200)


async def test_a_request_overrides_its_connector(cert, trusting):
    async with real_server(ssl=serving(cert)) as real:
        direct, forwarded = await both(real.port, connector_ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl=trusting)
        assert forwarded == direct
        assert forwarded[0] == 200


async def test_a_certificate_for_another_name_is_refused(cert, trusting):
    async with real_server(ssl=serving(cert)) as real:
        direct, forwarded = await both(real.port, host="other.example", ssl=trusting)
        assert forwarded == direct
        assert forwarded[0] is aiohttp.ClientConnectorCertificateError
        direct, forwarded = await both(real.port, host="other.example", ssl=trusting, server_hostname="api.example")
        assert forwarded == direct
        assert forwarded[0] == 200


async def test_a_clients_certificate_is_shown(ca, cert, trusting):
    context = serving(cert)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    async with real_server(ssl=context) as real:
        direct, forwarded = await both(real.port, ssl=trusting)
        assert issubclass(direct[0], aiohttp.ClientConnectionError)
        assert issubclass(forwarded[0], aiohttp.ClientConnectionError)
        ca.issue_cert("client@api.example").configure_cert(trusting)
        direct, forwarded = await both(real.port, ssl=trusting)
        assert forwarded == direct
        assert forwarded[0] == 200


async def test_a_server_that_speaks_no_tls(trusting):
    async with real_server() as real:
        direct, forwarded = await both(real.port, ssl=trusting)
    assert forwarded[0] is direct[0] is aiohttp.ClientConnectorSSLError


async def test_the_mock_itself_needs_no_certificate(trusting):
    """Whatever the client demands of the real server: registered replies come over plain HTTP."""
    async with aiointercept(mock_external_urls=True) as m:
        m.get("https://api.example/", body="mocked", repeat=True)
        for value in (True, False, trusting, Fingerprint(bytes(32))):
            for options in ({"ssl": value}, {"connector_ssl": value}):
                assert await outcome("https://api.example/", **options) == (200, "mocked", URL("https://api.example/"))


async def test_sessions_with_other_settings_do_not_share_a_connection(cert, trusting):
    async with real_server(ssl=serving(cert)) as real:
        url = f"https://api.example:{real.port}/"
        async with aiointercept(mock_external_urls=True, passthrough_unmatched=True):
            assert (await outcome(url, ssl=False))[0] == 200
            assert (await outcome(url, connector_ssl=False))[0] == 200
            assert (await outcome(url))[0] is aiohttp.ClientConnectorCertificateError
            assert (await outcome(url, connector_ssl=trusting))[0] == 200
