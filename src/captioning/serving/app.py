"""The application: all routes, and how errors are told."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from captioning.serving import metrics
from captioning.serving.docs_page import docs_router
from captioning.serving.errors import JSON, RequestError, internal_error, not_ready
from captioning.serving.guard import Guard
from captioning.serving.headers import PAGE_POLICY
from captioning.serving.lifetime import Backend
from captioning.serving.openapi import describe_captions
from captioning.serving.routes import ClientLeftError, api_router, token_check

_STATIC = Path(str(files("captioning.serving"))) / "static"
# What proxies write into their logs for it; nobody receives it.
_CLIENT_LEFT = 499
_CODES = {404: "not_found", 405: "method_not_allowed"}


def make_app(backend: Backend) -> ASGIApp:
    """The application of a server, with everything that guards it."""
    app = FastAPI(
        title="Image captioning",
        version="1",
        summary="Captions pictures with one trained model.",
        lifespan=backend.running,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(api_router(backend))
    app.include_router(docs_router())
    _add_page(app)
    _add_health(app, backend)
    _add_errors(app, backend)
    describe_captions(app)
    options = backend.options
    return Guard(app, options.limits, backend.metrics, options.hosts)


def _add_page(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=_STATIC, check_dir=False), name="static")

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        headers = {"content-security-policy": PAGE_POLICY, "cache-control": "no-cache"}
        return FileResponse(_STATIC / "index.html", headers=headers)


def _add_health(app: FastAPI, backend: Backend) -> None:
    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        """Whether the server runs."""
        return {"status": "alive"}

    @app.get("/readyz", responses={503: {"description": "The model is being loaded."}})
    async def ready() -> dict[str, str]:
        """Whether captions come at full speed."""
        if not backend.ready:
            raise not_ready()
        return {"status": "ready"}

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
        dependencies=[token_check(backend.options.token)],
    )
    async def figures() -> Response:
        """Figures for Prometheus."""
        return Response(backend.metrics.text(), media_type=metrics.CONTENT_TYPE)


def _add_errors(app: FastAPI, backend: Backend) -> None:
    """Tell all errors in one form, and nothing of the code."""

    def told(error: RequestError) -> Response:
        backend.metrics.rejected.labels(error.code).inc()
        headers = dict(error.headers)
        if error.status == 503:
            headers.setdefault("Retry-After", "1")
        return Response(error.body, error.status, headers, JSON)

    @app.exception_handler(RequestError)
    async def refused(request: Request, error: Any) -> Response:
        return told(error)

    @app.exception_handler(HTTPException)
    async def not_routed(request: Request, error: Any) -> Response:
        code = _CODES.get(error.status_code, "invalid_request")
        return told(RequestError(code, str(error.detail), error.status_code, error.headers))

    @app.exception_handler(ClientLeftError)
    async def left(request: Request, error: Any) -> Response:
        return Response(status_code=_CLIENT_LEFT)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return told(internal_error())
