"""The page `/docs`: Swagger UI, whose files come with the package fastapi-offline."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from captioning.serving.headers import DOCS_POLICY

_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Image captioning: interface</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="docs/swagger-ui.css">
  <script src="docs/swagger-ui-bundle.js" defer></script>
  <script src="docs/start.js" defer></script>
</head>
<body><div id="swagger"></div></body>
</html>
"""
# Swagger UI would send the interface to a validator on the web.
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  validatorUrl: null,
  syntaxHighlight: false,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"""


def docs_router() -> APIRouter:
    """The page and its files."""
    router = APIRouter(prefix="/docs", include_in_schema=False)
    folder = Path(str(files("fastapi_offline"))) / "static"

    @router.get("")
    async def page() -> Response:
        return HTMLResponse(_PAGE, headers={"content-security-policy": DOCS_POLICY})

    @router.get("/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @router.get("/{name}")
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            return Response(status_code=404)
        return FileResponse(folder / name, media_type=_ASSETS[name])

    return router
