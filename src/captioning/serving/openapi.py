"""The body of `/v1/captions` in the OpenAPI description: JSON or a form."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from captioning.serving.schema import CaptionRequest, Settings

_SCHEMAS = "#/components/schemas/"


def describe_captions(app: FastAPI) -> None:
    """Add the two kinds of body to the application's description.

    The route reads the body itself, within limits, so FastAPI does not know of them.
    """
    original = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        schema: dict[str, Any] = original()
        if not known:
            schemas = schema["components"]["schemas"]
            request = CaptionRequest.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
            schemas |= request.pop("$defs", {})
            examples = request.pop("examples")
            schemas["CaptionRequest"] = request
            schemas["CaptionForm"] = _form()
            schema["paths"]["/v1/captions"]["post"]["requestBody"] = {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": f"{_SCHEMAS}CaptionRequest"},
                        "examples": {
                            name: {"value": value}
                            for name, value in zip(("beam", "sampling"), examples, strict=True)
                        },
                    },
                    "multipart/form-data": {"schema": {"$ref": f"{_SCHEMAS}CaptionForm"}},
                },
            }
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _form() -> dict[str, Any]:
    """The form: the same settings, and files."""
    form: dict[str, Any] = Settings.model_json_schema()
    form["title"] = "CaptionForm"
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form["properties"] = {"images": files, **form["properties"]}
    form["required"] = ["images"]
    return form
