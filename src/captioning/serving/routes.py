"""The routes under `/v1`."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic_core import to_json

from captioning.serving.errors import JSON, RequestError, not_ready
from captioning.serving.lifetime import Backend
from captioning.serving.parsing import read_request
from captioning.serving.schema import CaptionsAnswer, ErrorAnswer, ExampleAnswer, ModelAnswer

ResultT = TypeVar("ResultT")

_BEARER = HTTPBearer(auto_error=False, description="The value of --token, if there is one.")
_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "The token is missing or wrong."}
}
_CAPTION_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body cannot be read."},
    413: {"model": ErrorAnswer, "description": "The body is too large."},
    415: {"model": ErrorAnswer, "description": "The body has another type."},
    422: {"model": ErrorAnswer, "description": "A value is wrong or out of bounds."},
    503: {
        "model": ErrorAnswer,
        "description": "The server is busy.",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "in seconds"}},
    },
}


class ClientLeftError(Exception):
    """The client closed the connection before it had its answer."""


def token_check(token: str | None) -> Any:
    """A dependency that refuses requests without the token, if there is one."""

    async def check(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> None:
        if token is None:
            return
        sent = given.credentials if given is not None else ""
        if not hmac.compare_digest(sent.encode(), token.encode()):
            raise RequestError(
                "wrong_token",
                "send the header `Authorization: Bearer TOKEN` with the server's token",
                401,
                {"WWW-Authenticate": "Bearer"},
            )

    return Depends(check)


def api_router(backend: Backend) -> APIRouter:
    """The routes of the interface."""
    router = APIRouter(
        prefix="/v1", responses=_ERRORS, dependencies=[token_check(backend.options.token)]
    )

    @router.post("/captions", response_model=CaptionsAnswer, responses=_CAPTION_ERRORS)
    async def captions(request: Request) -> Response:
        """Caption pictures. Each has its own result or error, in the order of the request."""
        if not backend.ready:
            raise not_ready()
        asked = await read_request(request, backend.options.limits, backend.pictures)
        answer = await _while_connected(request, backend.service.answer(asked))
        return Response(to_json(answer), media_type=JSON, headers={"cache-control": "no-store"})

    @router.get("/model", response_model=ModelAnswer)
    async def model() -> dict[str, Any]:
        """The model, and what the server accepts."""
        return {
            **backend.model.facts,
            "limits": backend.options.limits.told,
            "allow_urls": backend.options.allow_urls,
        }

    @router.get("/examples", response_model=list[ExampleAnswer])
    async def examples() -> list[dict[str, Any]]:
        """Pictures of the test split, to try the model with."""
        return [
            {"id": number, "url": f"/v1/examples/{number}", "references": example.references}
            for number, example in enumerate(backend.examples)
        ]

    @router.get(
        "/examples/{number}",
        response_class=Response,
        responses={200: {"content": {"image/*": {}}}, 404: {"model": ErrorAnswer}},
    )
    async def example(number: str) -> Response:
        """The bytes of one of these pictures."""
        if not (number.isascii() and number.isdigit() and len(number) < 5):
            raise RequestError("not_found", "there is no such example", 404)
        if int(number) >= len(backend.examples):
            raise RequestError("not_found", "there is no such example", 404)
        chosen = backend.examples[int(number)]
        return Response(chosen.data, media_type=chosen.content_type)

    return router


async def _while_connected(request: Request, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """The result of some work, which ends early if the client leaves.

    Raises:
        ClientLeftError: the client has left.
    """
    task = asyncio.create_task(work)
    left = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientLeftError
    finally:
        task.cancel()
        left.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
