"""Faults and delays as a transport gets them: plain values, checked when they are registered."""

import asyncio

import pytest

from aiointercept_core import CallbackResult, Fault, FaultReply, PlainRequest, Registry, Reply, Response

URL = "https://api.example/"


async def answer(registry: Registry, method: str = "GET") -> Reply:
    return await registry.answer(PlainRequest(method, URL))


@pytest.mark.parametrize("fault", [fault for fault in Fault if not fault.has_body], ids=str)
async def test_a_fault_without_a_response(fault: Fault):
    registry = Registry()
    registry.get(URL, fault=fault, delay=1)
    assert await answer(registry) == FaultReply(fault, None, 1.0)
    assert registry.call_count == 1


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.has_body], ids=str)
async def test_a_fault_with_a_response(fault: Fault):
    registry = Registry()
    registry.get(URL, status=203, payload=[1], headers={"X-A": "1"}, fault=fault)
    reply = await answer(registry)
    assert (reply.fault, reply.delay, reply.status) == (fault, 0.0, 203)
    assert isinstance(reply.response, Response)
    assert (reply.response.body, reply.response.headers["X-A"]) == (b"[1]", "1")


async def test_an_exception_is_the_object_that_was_registered_and_a_class_makes_a_new_one():
    error = ValueError("mine")
    registry = Registry()
    registry.get(URL, fault=error, repeat=2)
    registry.get(URL, fault=KeyError, repeat=2)
    replies = [await answer(registry) for _ in range(4)]
    assert replies[0].fault is replies[1].fault is error
    assert {type(reply.fault) for reply in replies[2:]} == {KeyError}
    assert replies[2].fault is not replies[3].fault


async def test_a_queue_of_failures_and_replies():
    registry = Registry()
    registry.get(URL, fault=Fault.RESET, repeat=2)
    registry.get(URL, status=503)
    registry.get(URL, fault=Fault.HANG, repeat=True)
    kinds = [getattr(reply, "fault", None) or reply.status for reply in [await answer(registry) for _ in range(5)]]
    assert kinds == [Fault.RESET, Fault.RESET, 503, Fault.HANG, Fault.HANG]


async def test_a_delay_is_data_and_nothing_waits():
    async def chunks():
        yield b"chunk"

    async def callback(url):
        return CallbackResult(status=202)

    registry = Registry()
    options = ({}, {"body": chunks}, {"callback": callback}, {"exception": True}, {"fault": Fault.RESET})
    for option in options:
        registry.get(URL, delay=3600, **option)
    async with asyncio.timeout(5):
        assert [(await answer(registry)).delay for _ in options] == [3600.0] * len(options)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"fault": "reset"}, TypeError, "fault must be a Fault, an exception or an exception class, got 'reset'"),
        ({"fault": Fault.RESET, "exception": True}, ValueError, "fault and exception contradict each other"),
        ({"fault": Fault.RESET, "callback": print}, ValueError, "fault and callback contradict each other"),
        ({"fault": Fault.RESET, "status": 500}, ValueError, "fault=Fault.RESET sends no response: leave status out"),
        ({"fault": Fault.TRUNCATED}, ValueError, "fault=Fault.TRUNCATED sends the first half of the body"),
        ({"delay": -1}, ValueError, "delay must be a finite number of seconds that is not negative, got -1"),
        ({"delay": "1"}, TypeError, "delay must be a number of seconds, got '1'"),
    ],
)
def test_what_cannot_happen_is_refused(options: dict[str, object], error: type[Exception], text: str):
    registry = Registry()
    with pytest.raises(error) as caught:
        registry.get(URL, **options)
    assert str(caught.value).startswith(text)
    assert not registry.routes


@pytest.mark.parametrize("name", ["faults", "error", "exc", "raises", "timeout"])
def test_what_others_call_it_names_fault(name: str):
    with pytest.raises(TypeError, match=rf"unknown argument '{name}'; did you mean 'fault'\?"):
        Registry().get(URL, **{name: ValueError})


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fault.RESET, "Fault.RESET"), (ValueError("mine"), "ValueError('mine')"), (ValueError, "ValueError")],
    ids=str,
)
def test_a_fault_by_position_is_refused_with_its_name(value: object, text: str):
    with pytest.raises(TypeError) as caught:
        Registry().get(URL, value)
    assert str(caught.value) == (
        f"get() takes only the URL by position, got {text} too; name the argument, for example fault={text}"
    )


def test_the_properties_of_faults_are_disjoint_or_nested():
    for fault in Fault:
        assert str(fault) == f"Fault.{fault.name}"
        assert fault.is_sent_by_server or not fault.has_body
        assert not (fault.is_sent_by_server and fault.needs_https)
    assert len({fault.value for fault in Fault}) == len(list(Fault)) == 14
