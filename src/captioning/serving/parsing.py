"""Read requests for captions: JSON, or forms with files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from captioning.core.errors import InputError
from captioning.decoding.settings import DecodingSettings
from captioning.params.schema import problem_text
from captioning.serving.errors import RequestError
from captioning.serving.limits import Limits
from captioning.serving.pictures import Pictures
from captioning.serving.schema import CaptionRequest, Settings

_MAX_PROBLEMS = 5
# A setting in a form, as text.
_MAX_FIELD_BYTES = 1000
_FILES = "images"


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Args:
        pictures: bytes of an image file, or a mapping with `base64` or `url`, one for each picture.
        settings: settings of the request.
        decoding: those of the search.
    """

    pictures: list[bytes | Mapping[str, str | None]]
    settings: Settings
    decoding: DecodingSettings


async def read_request(request: Request, limits: Limits, pictures: Pictures) -> Asked:
    """Read the body of a request and check it.

    Args:
        request: the request; its body has not been read yet.
        limits: limits of the server.
        pictures: its threads parse large bodies.

    Raises:
        RequestError: the body has another type or form, or a value is wrong or out of bounds.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()
        given = await pictures.run(_parsed, body)
        sent: list[Any] = [picture.model_dump() for picture in given.images]
        settings: Settings = given
    elif kind == "multipart/form-data":
        sent, settings = await _from_form(request, limits)
    else:
        raise RequestError("unsupported_type", "send application/json or multipart/form-data", 415)
    _check_number("images", len(sent), limits.images)
    _check_number("n", settings.n, limits.captions)
    try:
        return Asked(sent, settings, settings.decoding())
    except InputError as error:
        raise RequestError("invalid_request", str(error), 422) from None


def _parsed(body: bytes) -> CaptionRequest:
    try:
        found: CaptionRequest = CaptionRequest.model_validate_json(body)
    except ValidationError as error:
        raise _refused(error) from None
    return found


async def _from_form(request: Request, limits: Limits) -> tuple[list[bytes], Settings]:
    """The files `images` of a form, and its settings."""
    body = await request.body()
    _, options = parse_options_header(request.headers["content-type"])
    end = b"--" + options.get(b"boundary", b"") + b"--"
    # The parser does not mind a form that was cut off.
    if end not in body[-len(end) - _MAX_FIELD_BYTES :]:
        raise RequestError("invalid_form", "the form is incomplete: its last boundary is missing")
    form = request.form(
        max_files=limits.images + 1,
        max_fields=len(Settings.model_fields),
        max_part_size=_MAX_FIELD_BYTES,
    )
    try:
        async with form as fields:
            values = _settings_of(fields)
            files = [file for _, file in fields.multi_items() if isinstance(file, UploadFile)]
            sent = [await file.read() for file in files]
    except HTTPException as error:  # Starlette's, for forms that are damaged or too large.
        raise RequestError("invalid_form", f"the form cannot be read: {error.detail}") from None
    if not sent:
        raise RequestError("invalid_request", f"the form has no file {_FILES}", 422)
    try:
        return sent, Settings.model_validate(values)
    except ValidationError as error:
        raise _refused(error) from None


def _settings_of(fields: FormData) -> dict[str, Any]:
    """The fields of a form that are no files, with values as in JSON; empty ones are left out."""
    values: dict[str, Any] = {}
    for name, value in fields.multi_items():
        if isinstance(value, UploadFile):
            if name != _FILES:
                raise RequestError("invalid_request", f"files must have the name {_FILES}", 422)
        elif name in values:
            raise RequestError("invalid_request", "a setting is given twice in the form", 422)
        elif value:
            values[name] = _value(value)
    return values


def _value(text: str) -> Any:
    """A number, true, false or null as in JSON; any other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


def _check_number(name: str, number: int, most: int) -> None:
    if number > most:
        raise RequestError(
            "invalid_request", f"{name}: {number} is more than the limit of {most}", 422
        )


def _refused(error: ValidationError) -> RequestError:
    """Describe what is wrong with the values of a request, in one line."""
    problems = error.errors(include_url=False)
    lines = [problem_text(problem) for problem in problems[:_MAX_PROBLEMS]]
    if len(problems) > len(lines):
        lines.append(f"and {len(problems) - len(lines)} more")
    if problems[0]["type"] == "json_invalid":
        return RequestError("invalid_json", "the body is not JSON that can be read", 400)
    return RequestError("invalid_request", "; ".join(lines), 422)
