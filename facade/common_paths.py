"""Paths that two APIs have in common: a caller is answered as the one has it whose clients send what this one sent."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from aiohttp import web

from facade.answer import answer_problem
from facade.call import Call
from facade.problem import Problem
from facade.route import Doc, Route


def told_apart(
    routes: Iterable[Route], theirs: Iterable[Route], is_theirs: Callable[[Call], bool], words: str
) -> tuple[Route, ...]:
    """The routes, of which those that are also among `theirs` answer some callers as `theirs` do, in failure too.

    is_theirs: whether a call is from one of those callers; words: that say to people who these are.
    Raises ValueError where one of `theirs` is not among the routes.
    """
    found = {(route.method, route.path): route for route in theirs}
    all_routes = tuple(
        _either(route, found.pop((route.method, route.path), None), is_theirs, words) for route in routes
    )
    if found:
        raise ValueError(f"nobody else has {', '.join(path for _, path in found)}")
    return all_routes


def _either(route: Route, theirs: Route | None, is_theirs: Callable[[Call], bool], words: str) -> Route:
    if theirs is None:
        return route
    other = theirs

    async def handle(call: Call) -> web.StreamResponse:
        if not is_theirs(call):
            return await route.handler(call)
        try:
            return await other.handler(call)
        except Problem as problem:
            return answer_problem(other.surface, problem)

    return replace(route, handler=handle, doc=_doc_of_both(route.doc, theirs.doc, words), shared_with=theirs.surface)


def _doc_of_both(doc: Doc, theirs: Doc, words: str) -> Doc:
    success = {
        status: {media: {"anyOf": [schema, theirs.success[status][media]]} for media, schema in content.items()}
        for status, content in doc.success.items()
    }
    return replace(
        doc,
        success=success,
        query={**doc.query, **theirs.query},
        errors=(*doc.errors, *theirs.errors),
        description=f"{doc.description} {words}".strip(),
    )
