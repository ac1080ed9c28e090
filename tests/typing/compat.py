"""What a type checker makes of tests that were written for aioresponses."""

from typing import assert_type

from yarl import URL

from aiointercept.compat import CallbackResult, RequestCall, aioresponses, core, merge_params, normalize_url


@aioresponses()
async def decorated(word: str, mocked: aioresponses) -> int:
    mocked.get("https://a.test/", payload={"word": word})
    return 1


@aioresponses(param="mocked", passthrough=["http://127.0.0.1"], passthrough_unmatched=True)
def decorated_by_keyword(mocked: aioresponses) -> None:
    mocked.assert_not_called()


class Api(aioresponses):
    """A subclass, as tests have them."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def __enter__(self) -> "Api":
        super().__enter__()
        self.get(f"{self.base}/health")
        return self


def callback(url: URL, **kwargs: object) -> CallbackResult:
    return CallbackResult(status=201, body=str(url))


def in_a_block() -> None:
    with aioresponses() as mocked:
        assert_type(mocked, aioresponses)
        mocked.post("https://a.test/", callback=callback, repeat=2, exception=ValueError)
        assert_type(mocked.requests, dict[tuple[str, URL], list[RequestCall]])
        assert_type(mocked.requests["POST", URL("https://a.test/")], list[RequestCall])
        mocked.requests.clear()
    with Api("https://a.test") as api:
        assert_type(api, Api)
    assert_type(core.CallbackResult(), CallbackResult)
    assert_type(core.RequestCall((), {}), RequestCall)
    assert_type(merge_params("https://a.test/", {"a": 1}), URL)
    assert_type(normalize_url("https://a.test/"), URL)
