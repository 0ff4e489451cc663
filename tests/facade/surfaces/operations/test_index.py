"""The page that tells what there is."""

from tests.support.database import on_sqlite
from tests.support.facade import Site

pytestmark = on_sqlite


async def test_the_index_names_every_route(site: Site):
    response = await site.client.get("/")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    for route in site.facade.routes:
        assert any(
            line.split()[:2] == [route.method, route.path] and line.endswith(route.doc.summary)
            for line in response.text.splitlines()
        )


async def test_the_index_names_each_surface_once(site: Site):
    lines = (await site.client.get("/")).text.splitlines()
    for title in {route.surface.title for route in site.facade.routes}:
        assert lines.count(title) == 1
