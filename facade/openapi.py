"""The description of the API (OpenAPI 3.1), made from the very table that is served."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from facade.route import FORMS, JSON, MULTIPART, Access, Doc, Route
from facade.schema import ID
from facade.surface import Schema, Surface

_PLACE = re.compile(r"\{(\w+)(?:\.\.\.)?\}")

# What can happen to any call: a fault of ours, a core or database that does not answer.
_ALWAYS = (500, 503, 504)
# What can happen to any call with a body: it is not what it should be, comes too slowly, or is too large.
_WITH_BODY = (400, 408, 413)

_SECURITY_SCHEMES: Mapping[str, Any] = {
    "session": {"type": "apiKey", "in": "cookie", "name": "session", "description": "Set by POST /api/auth/login."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, an access token or a session's token."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "virtualKey": {"type": "apiKey", "in": "header", "name": "X-Virtual-Key"},
    "googleApiKey": {"type": "apiKey", "in": "header", "name": "X-Goog-Api-Key"},
    "queryKey": {"type": "apiKey", "in": "query", "name": "key", "description": "As Google's clients may send it."},
}
_HEADERS: Mapping[str, Any] = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}


def describe(routes: Iterable[Route], public_url: str, version: str) -> dict[str, Any]:
    """The whole document. Raises ValueError where two routes are one."""
    paths: dict[str, dict[str, Any]] = {}
    surfaces: dict[str, Surface] = {}
    for route in routes:
        surfaces[route.surface.name] = route.surface
        methods = paths.setdefault(_PLACE.sub(r"{\1}", route.path), {})
        if route.method.lower() in methods:
            raise ValueError(f"{route.method} {route.path} is there twice")
        methods[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llmrouter",
            "version": version,
            "description": "An LLM router. Every answer carries `x-request-id`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": surface.name, "description": surface.title} for surface in surfaces.values()],
        "paths": paths,
        "components": {
            "schemas": {_error_name(surface): surface.error_schema for surface in surfaces.values()},
            "headers": {"X-Request-Id": {"description": "The request's id.", "schema": {"type": "string"}}},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    doc = route.doc
    described: dict[str, Any] = {
        "tags": [route.surface.name],
        "summary": doc.summary,
        "operationId": _operation_id(route),
        "security": [] if doc.access is Access.ANYONE else [{name: []} for name in _schemes(route)],
        "responses": _responses(route),
    }
    description = [doc.description] if doc.description else []
    if doc.access is Access.ADMIN:
        description.append("For administrators.")
    if description:
        described["description"] = " ".join(description)
    parameters = [_parameter(name, doc.parameters.get(name, ID)) for name in _PLACE.findall(route.path)]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in doc.query.items()]
    if parameters:
        described["parameters"] = parameters
    if doc.request is not None:
        media = (JSON, *FORMS) if doc.forms else (JSON,)
        content = {each: {"schema": doc.request} for each in media}
        if doc.multipart is not None:
            content[MULTIPART] = {"schema": doc.multipart}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _schemes(route: Route) -> list[str]:
    """The kinds of credentials that a route knows."""
    in_query = any(surface.query_key for surface in (route.surface, route.shared_with) if surface is not None)
    return [name for name, scheme in _SECURITY_SCHEMES.items() if scheme.get("in") != "query" or in_query]


def _parameter(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _operation_id(route: Route) -> str:
    words = [word for word in re.split(r"\W+", route.path) if word]
    return "_".join([route.method.lower(), *words]) if words else f"{route.method.lower()}_index"


def _responses(route: Route) -> dict[str, Any]:
    doc = route.doc
    responses: dict[str, Any] = {}
    for status, content in doc.success.items():
        responses[str(status)] = _response(status, content)
    surfaces = [route.surface] if route.shared_with is None else [route.surface, route.shared_with]
    errors = [{"$ref": f"#/components/schemas/{_error_name(surface)}"} for surface in surfaces]
    error: dict[str, Schema] = {JSON: {"anyOf": errors} if len(errors) > 1 else errors[0]}
    for status in sorted(_error_statuses(route.method, doc)):
        responses.setdefault(str(status), _response(status, error))
    return responses


def _response(status: int, content: Mapping[str, Schema]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": _HEADERS}
    if content:
        response["content"] = {media: {"schema": schema} for media, schema in content.items()}
    return response


def _error_statuses(method: str, doc: Doc) -> set[int]:
    statuses = {*doc.errors, *_ALWAYS}
    if doc.access is not Access.ANYONE:
        statuses |= {401, 403}
    if method != "GET":
        statuses.add(403)  # from a page of another site
    if doc.request is not None:
        statuses |= set(_WITH_BODY)
    if doc.query:
        statuses.add(400)
    return statuses


def _error_name(surface: Surface) -> str:
    return f"{surface.name.capitalize()}Error"
