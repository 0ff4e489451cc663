from tests.support.database import on_sqlite
from tests.support.facade import Site
import json
pytestmark = on_sqlite
async def test_all(site: Site):
    c = site.client
    for p in ["/", "/health","/healthz","/ready","/version","/metrics","/openapi.json","/api/users","/v1/models","/api/v1/models","/nope","/v1/nope","/api/nope","/api/v1/nope","/api/users/3"]:
        r = await c.get(p); print(p, r.status_code, dict(r.headers), r.text[:600])
    a = await site.client_of(await site.core.admin())
    for m,p,b in [("GET","/api/auth/me",None),("GET","/api/users",None),("POST","/api/users",{"email":"x@example.com","password":"secret1","role":"user"}),("POST","/api/users",{"email":"x@example.com","password":"secret1","role":"user"}),("PUT","/api/users/2",{}),("PUT","/api/users/2",{"disabled":True}),("PUT","/api/users/99",{"disabled":True}),("DELETE","/api/users/2",None),("DELETE","/api/users/1",None),
      ("POST","/api/keys",{"name":"k"}),("GET","/api/keys",None),("GET","/api/admin/users/1/keys",None),("DELETE","/api/keys/99",None),
      ("POST","/api/providers",{"name":"p","type":"openai"}),("GET","/api/providers",None),("PUT","/api/providers/1",{"enabled":False}),("POST","/api/providers/1/refresh_models",None),("GET","/api/models",None),("GET","/api/stats/me",None),("GET","/api/admin/stats/user/1",None),("GET","/api/admin/stats/user/77",None),("GET","/v1/models",None),("GET","/v1/models/a/b",None),("PUT","/api/account",{}),("PUT","/api/account",{"new_password":"1"}),
      ("POST","/api/auth/logout",None),("GET","/api/auth/me",None),("POST","/api/auth/login",{"email":"admin@example.com","password":"correct horse"})]:
        r = await a.request(m,p,json=b); print(m,p, r.status_code, r.headers.get("set-cookie"), r.headers.get("x-llmrouter-error-detail"), r.text[:400])
