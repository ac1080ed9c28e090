"""dns alone: real host names reach a server that knows nothing of ours, with the patch and without."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp

from aiointercept_dns import OriginResolver, Redirection


class EchoHost(BaseHTTPRequestHandler):
    """A handler that answers with the host it was asked for."""

    def do_GET(self) -> None:
        """Answer with the Host header."""
        body = self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


async def ask(url: str, connector: aiohttp.TCPConnector | None = None) -> str:
    """Return the answer of the server behind `url`."""
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as response:
        return await response.text()


async def main(server: str) -> None:
    """Ask for real host names in both ways."""
    with Redirection({"api.example.com": server}):
        assert await ask("http://api.example.com/") == "api.example.com"
        assert await ask("https://api.example.com/") == "api.example.com"
    connector = aiohttp.TCPConnector(resolver=OriginResolver({"files.example.com": server}))
    assert await ask("http://files.example.com/", connector) == "files.example.com"


with ThreadingHTTPServer(("127.0.0.1", 0), EchoHost) as server:
    threading.Thread(target=server.serve_forever).start()
    try:
        asyncio.run(main(f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
