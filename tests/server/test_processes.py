"""A process with open mocks ends without output, whatever is open; a forked child serves only mocks of its own."""

import os
import subprocess
import sys

import pytest

WHILE_SERVING = """
import asyncio, logging, socket, sys, time
from mock_server import Mock

# With `-X dev` asyncio logs slow callbacks, which on a busy machine may be any.
logging.getLogger("asyncio").setLevel(logging.ERROR)

async def hang(url, **_):
    await asyncio.Event().wait()

async def chunks():
    try:
        while True:
            yield bytes(2**16)
    finally:
        sys.stdout.write("closed ")

mocks, clients = [], []
for reply in [{}, {"callback": hang}, {"body": chunks}, {"body": bytes(10**7)}, None]:
    mock = Mock(https=True)
    mocks.append(mock)
    if reply is not None:
        client = socket.create_connection(("127.0.0.1", mock.port))
        clients.append(client)
        mock.registry.get("http://api.example/", **reply)
        client.sendall(b"GET / HTTP/1.1\\r\\nHost: api.example\\r\\n\\r\\n")
        while not mock.registry.call_count:
            time.sleep(0.001)
for client in clients[::2]:
    client.close()
for mock in mocks:
    END
for client in clients:
    client.close()
"""

NO_DESCRIPTORS = """
import asyncio, logging, os, resource, socket
from mock_server import Mock, connect, eventually

# As above.
logging.getLogger("asyncio").setLevel(logging.ERROR)

messages = []
handler = logging.Handler()
handler.emit = lambda record: messages.append(record.getMessage())
logging.getLogger("aiointercept").addHandler(handler)

async def main():
    mock = Mock()
    mock.registry.get("http://api.example/", body="served")
    client = socket.socket()
    client.setblocking(False)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    client.connect_ex(("127.0.0.1", mock.port))
    client.setblocking(True)
    await eventually(lambda: messages)
    os.close(taken.pop())
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)[1:] * 2)
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: api.example\\r\\n\\r\\n")
    client.settimeout(5)
    received = b""
    while b"served" not in received:
        received += client.recv(1000)
    client.close()
    mock.close()
    assert "cannot accept connections" in messages[0], messages

asyncio.run(main())
print("done")
"""

FORK = """
import asyncio, logging, os, sys, warnings
from mock_server import Mock, connect

# As above.
logging.getLogger("asyncio").setLevel(logging.ERROR)

# Since 3.12 a fork in a process with threads warns; here the server's thread must not matter to the child.
warnings.simplefilter("ignore", DeprecationWarning)

async def serves(mock, body):
    mock.registry.get("http://api.example/", body=body)
    async with connect(mock.port) as connection:
        assert (await connection.exchange(b"GET / HTTP/1.1\\r\\nHost: api.example\\r\\n\\r\\n")).body == body

def use(body):
    mock = Mock()
    asyncio.run(serves(mock, body))
    mock.close()

parents = Mock()
asyncio.run(serves(parents, b"before"))
child = os.fork()
if child == 0:
    use(b"child")
    use(b"child again")
    # Closing the parent's mock here returns at once and does not close it in the parent.
    parents.close()
    sys.stdout.write("child ")
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
asyncio.run(serves(parents, b"after"))
use(b"parent")
parents.close()
sys.stdout.write("parent")
"""

FORK_WITH_CONNECTIONS = """
import asyncio, gc, logging, os, resource, socket, sys, warnings
from mock_server import Mock
from aiointercept_server import is_served_here

warnings.simplefilter("ignore", DeprecationWarning)
logging.getLogger("asyncio").setLevel(logging.ERROR)
logging.getLogger("aiointercept").addHandler(logging.NullHandler())
# Must not make the sockets of others non-blocking.
socket.setdefaulttimeout(5)
others = socket.socketpair()
for other in others:
    other.settimeout(None)

async def hang(url, **_):
    await asyncio.Event().wait()

def ask(client, path):
    client.sendall(b"GET /%s HTTP/1.1\\r\\nHost: api.example\\r\\n\\r\\n" % path)

def connect(mock):
    return socket.create_connection(("127.0.0.1", mock.port))

def receive(client):
    received = b""
    while not received.endswith(b"served"):
        received += client.recv(1000)

stopped, kept = Mock(https=True), Mock()
stopped.registry.get("http://api.example/hang", callback=hang)
for mock in stopped, kept:
    mock.registry.get("http://api.example/", body="served", repeat=True)
waiting, unmatched, client = connect(stopped), connect(stopped), connect(kept)
for one in unmatched, client:
    ask(one, b"")
    receive(one)
ask(waiting, b"hang")
while stopped.registry.call_count < 2:
    pass

ports = [stopped.port, stopped.listener.address("https")[1]]
assert all(map(is_served_here, ports)) and not is_served_here(waiting.getsockname()[1])
child_ends, end_child = os.pipe()
child_is_ready, ready = os.pipe()
PREPARE
child = os.fork()
if child == 0:
    os.close(end_child)
    assert not any(map(is_served_here, ports))
    assert all(map(os.get_blocking, (other.fileno() for other in others)))
    # Whatever is done with them in the child, the parent does not notice.
    kept.close()
    gc.collect()
    os.write(ready, b"1")
    os.read(child_ends, 1)
    sys.exit()
os.close(child_ends)
os.read(child_is_ready, 1)
RESTORE

ask(unmatched, b"unmatched")
assert unmatched.recv(1) == b""
ask(client, b"")
receive(client)
stopped.close()
assert not any(map(is_served_here, ports))
try:
    assert waiting.recv(1) == b""
except ConnectionResetError:
    pass
for port in ports:
    try:
        socket.create_connection(("127.0.0.1", port))
        raise AssertionError(port)
    except ConnectionRefusedError:
        pass
with connect(kept) as new:
    ask(new, b"")
    receive(new)
os.close(end_child)
assert os.waitpid(child, 0)[1] == 0
ask(client, b"")
receive(client)
for one in waiting, unmatched, client, *others:
    one.close()
kept.close()
print("done")
"""

FORK_WHILE_A_PORT_OPENS = """
import os, socket, threading, time, warnings
from mock_server import Mock

warnings.simplefilter("ignore", DeprecationWarning)
opening = threading.Event()

class SlowSocket(socket.socket):
    def listen(self, *args):
        super().listen(*args)
        opening.set()
        time.sleep(0.1)

def listening():
    count = 0
    for descriptor in range(100):
        try:
            one = socket.SocketType(fileno=descriptor)
        except OSError:
            continue
        try:
            count += one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        finally:
            one.detach()
    return count

mocks = [Mock()]
socket.socket = SlowSocket
opener = threading.Thread(target=lambda: mocks.append(Mock()))
opener.start()
opening.wait()
child = os.fork()
if child == 0:
    os._exit(listening())
opener.join()
assert listening() == 2
for mock in mocks:
    mock.close()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(code: str) -> str:
    """Return what `code` prints in an interpreter that turns each warning into an error."""
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


@pytest.mark.parametrize("end", ["pass", "mock.listener.close()"], ids=["open", "being closed"])
def test_the_interpreter_ends_without_output(end: str):
    assert run(WHILE_SERVING.replace("END", end)) == "closed "


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_serves_its_own_mocks():
    assert run(FORK) == "child parent"


USE_UP_DESCRIPTORS = """
taken = [os.dup(0)]
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, limits[1]))
"""
RELEASE_DESCRIPTORS = "resource.setrlimit(resource.RLIMIT_NOFILE, limits)"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    ("prepare", "restore"),
    [("", ""), (USE_UP_DESCRIPTORS, RELEASE_DESCRIPTORS)],
    ids=["descriptors left", "no descriptors left"],
)
def test_a_forked_child_keeps_no_socket_of_the_server(prepare: str, restore: str):
    """A request that is closed, and a mock that is stopped, end for their clients although a child lives."""
    code = FORK_WITH_CONNECTIONS.replace("PREPARE", prepare).replace("RESTORE", restore)
    assert run(code) == "done\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_that_is_forked_while_a_port_opens_does_not_keep_it():
    assert run(FORK_WHILE_A_PORT_OPENS) == "0\n"


@pytest.mark.skipif(sys.platform != "linux", reason="limits its descriptors")
def test_connections_are_accepted_again_once_there_are_descriptors():
    assert run(NO_DESCRIPTORS) == "done\n"
