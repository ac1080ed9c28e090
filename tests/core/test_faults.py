"""Faults and delays as a transport gets them: plain values, checked when they are registered."""

import asyncio

import pytest

from aiointercept_core import CallbackResult, Fault, FaultReply, PlainRequest, Registry, Reply, Response

URL = "https://api.example/"
WITH_BODY = [fault for fault in Fault if fault.has_body]
BODILESS = [fault for fault in Fault if not fault.has_body]


async def chunks():
    yield b"body"


def body():
    return b"body"


def callback(url):
    raise NotImplementedError


async def answer(registry: Registry, method: str = "GET") -> Reply:
    return await registry.answer(PlainRequest(method, URL))


@pytest.mark.parametrize("fault", BODILESS, ids=str)
async def test_a_fault_without_a_response(fault: Fault):
    registry = Registry()
    registry.get(URL, fault=fault, delay=1)
    assert await answer(registry) == FaultReply(fault, None, 1.0)
    assert registry.call_count == 1


@pytest.mark.parametrize("fault", WITH_BODY, ids=str)
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


def refusal(error: type[Exception], **options) -> str:
    """Return the text of the error that `add` raises; nothing is registered."""
    registry = Registry()
    with pytest.raises(error) as caught:
        registry.add(URL, **options)
    assert type(caught.value) is error
    assert not registry.routes
    return str(caught.value)


@pytest.mark.parametrize("value", ["reset", "RESET", 7, True, False, int, Fault, [Fault.RESET], object], ids=repr)
def test_other_types_are_no_faults(value: object):
    assert refusal(TypeError, fault=value) == (
        f"fault must be a Fault, an exception or an exception class, got {value!r}; for example fault=Fault.RESET"
    )


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TLS, ValueError("mine")], ids=str)
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"callback": callback}, "callback"),
        ({"exception": True}, "exception"),
        ({"exception": ValueError}, "exception"),
        ({"exception": True, "callback": callback}, "callback"),
    ],
)
def test_two_behaviours_contradict_each_other(fault: Fault, options: dict[str, object], name: str):
    message = refusal(ValueError, fault=fault, **options)
    assert message == f"fault and {name} contradict each other: pass one of them"


RESPONSES = [
    ({"status": 503}, "status", "503"),
    ({"body": "text"}, "body", "'text'"),
    ({"body": body}, "body", "<function body at"),
    ({"payload": {"a": 1}}, "payload", "{'a': 1}"),
    ({"json": []}, "json", "[]"),
    ({"headers": {"X-A": "1"}}, "headers", "{'X-A': '1'}"),
    ({"content_type": "text/html"}, "content_type", "'text/html'"),
    ({"reason": "Gone"}, "reason", "'Gone'"),
]
RESPONSE_IDS = [f"{name} {number}" for number, (_, name, _) in enumerate(RESPONSES)]


@pytest.mark.parametrize("fault", [*BODILESS, ValueError("mine"), ValueError], ids=str)
@pytest.mark.parametrize(("options", "name", "value"), RESPONSES, ids=RESPONSE_IDS)
def test_nothing_of_a_response_is_given_for_a_fault_that_sends_none(
    fault: object, options: dict[str, object], name: str, value: str
):
    message = refusal(ValueError, fault=fault, **options)
    fault_name = f"fault={fault}" if isinstance(fault, Fault) else "an exception as fault"
    assert message.startswith(f"{fault_name} sends no response: leave {name} out, got {value}")


@pytest.mark.parametrize("fault", WITH_BODY, ids=str)
@pytest.mark.parametrize("value", [chunks, body])
def test_a_body_that_is_made_later_has_no_half(fault: Fault, value: object):
    assert refusal(TypeError, fault=fault, body=value) == (
        f"fault={fault} sends a part of the body: pass a str, bytes or payload=, not a stream or a function"
    )


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.RESET_IN_BODY], ids=str)
@pytest.mark.parametrize("options", [{}, {"body": b""}, {"status": 500}])
def test_half_of_nothing_cannot_be_sent(fault: Fault, options: dict[str, object]):
    assert refusal(ValueError, fault=fault, **options) == (
        f"fault={fault} sends the first half of the body: pass it with body= or payload="
    )


@pytest.mark.parametrize("fault", WITH_BODY, ids=str)
@pytest.mark.parametrize("options", [{"method": "HEAD"}, {"method": "head"}, {"status": 204}, {"status": 304}])
def test_a_reply_without_a_body_has_no_fault_in_it(fault: Fault, options: dict[str, object]):
    assert refusal(ValueError, fault=fault, body=b"body", **options) == (
        f"fault={fault} sends a part of the body, and a reply to HEAD or with status 204 or 304 has none"
    )


@pytest.mark.parametrize("fault", WITH_BODY, ids=str)
def test_what_is_sent_is_checked_as_without_a_fault(fault: Fault):
    message = refusal(ValueError, fault=fault, body=b"body", headers={"Content-Length": "9"})
    assert message.startswith("headers: Content-Length must be 4, the length of the body, got '9'")
    assert refusal(ValueError, fault=fault, body=b"body", status=99).startswith("status must be")


@pytest.mark.parametrize("value", ["1", None, True, False, [1], 1j, object], ids=repr)
def test_a_delay_is_a_number(value: object):
    assert refusal(TypeError, delay=value) == (
        f"delay must be a number of seconds, got {value!r}; for example delay=0.2"
    )


@pytest.mark.parametrize("value", [-1, -0.001, float("nan"), float("inf"), -float("inf")], ids=repr)
def test_a_delay_is_finite_and_not_negative(value: float):
    assert refusal(ValueError, delay=value) == (
        f"delay must be a finite number of seconds that is not negative, got {value!r}"
    )


def test_a_number_that_is_too_large_for_a_float_is_no_delay():
    assert refusal(ValueError, delay=10**400).startswith("delay must be a finite number of seconds")


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
