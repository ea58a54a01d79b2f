"""A client of Microsoft's SDK whose calls are recorded, and the checks of its answers."""

import functools
import inspect

from azure.core.exceptions import HttpResponseError

# Members that send no request: constructors, properties, close.
NO_SCENARIO = {"close", "from_jwk", "key_id", "vault_url"}


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, not {actual!r}")


class Watched:
    """A client, sync or async, whose methods can all be awaited. It records the calls."""

    seen = {}

    def __init__(self, client):
        self.client = client
        self.called = Watched.seen.setdefault(type(client), set())

    def __getattr__(self, name):
        attribute = getattr(self.client, name)
        if not callable(attribute):
            return attribute
        self.called.add(name)

        @functools.wraps(attribute)
        async def awaited(*arguments, **options):
            result = attribute(*arguments, **options)
            return await result if inspect.isawaitable(result) else result

        return awaited

    @staticmethod
    def leave_nothing_out():
        for kind, called in Watched.seen.items():
            public = {name for name in dir(kind) if not name.startswith("_")} - NO_SCENARIO
            same(sorted(public - called), [])


async def every(pages):
    """The items of a paged list."""
    if hasattr(pages, "__aiter__"):
        return [entry async for entry in pages]
    return list(pages)


async def refused(status, code, inner, call, *arguments, **options):
    """Checks that the call is refused with this status and these codes in the body, and returns the text."""
    try:
        await call(*arguments, **options)
    except HttpResponseError as error:
        same(error.status_code, status)
        same(error.error.code, code)
        same((error.error.innererror or {}).get("code"), inner)
        return error.error.message
    raise AssertionError(f"{call.__name__}{arguments} was not refused")
