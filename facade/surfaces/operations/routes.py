"""The routes of the operations surface."""

from collections.abc import Mapping

from facade.route import JSON, Access, Doc, Handler, Route
from facade.schema import ANY_OBJECT, STRING, Schema, choice, obj
from facade.surfaces.operations.health import DEPENDENCIES, Readiness, health, show_version
from facade.surfaces.operations.index import Directory
from facade.surfaces.operations.monitoring import Monitoring
from facade.surfaces.operations.surface import OPERATIONS

_HEALTH = obj(status={"type": "string", "const": "healthy"})
_DEPENDENCIES = obj(None, **dict.fromkeys(DEPENDENCIES.values(), choice("ok", "down", "unknown")))
_READY: Schema = {
    **obj(status=choice("ready", "not ready", "stopping"), dependencies=_DEPENDENCIES),
    "description": "Where several cores run, `cores` has the states of each.",
}


def operations_routes(readiness: Readiness, monitoring: Monitoring, directory: Directory) -> tuple[Route, ...]:
    """All of them."""
    return (
        _route("/health", health, "Does this process answer", {JSON: _HEALTH}),
        _route("/healthz", health, "The same", {JSON: _HEALTH}),
        _route("/ready", readiness, "Can requests be served now", {JSON: _READY}, not_now={JSON: _READY}),
        _route("/version", show_version, "What runs here", {JSON: obj(name=STRING, version=STRING)}),
        _route("/metrics", monitoring.everybody, "Prometheus metrics of all processes", {"text/plain": STRING}),
        _route("/openapi.json", directory.openapi, "The description of this API", {JSON: ANY_OBJECT}),
        _route("/", directory.index, "This page", {"text/plain": STRING}),
    )


def _route(
    path: str,
    handler: Handler,
    summary: str,
    content: Mapping[str, Schema],
    not_now: Mapping[str, Schema] | None = None,
) -> Route:
    success = {200: content} if not_now is None else {200: content, 503: not_now}
    doc = Doc(summary=summary, access=Access.ANYONE, success=success)
    return Route(method="GET", path=path, surface=OPERATIONS, handler=handler, doc=doc, quiet=True)
