"""Google's token endpoint, as service accounts ask it.

async with serve_google_tokens() as google:
    google.key            the JSON of a service account that asks there
    google.asked          the assertions that came: their claims
    google.open.clear()   it takes its time, until google.open.set()
    google.refuses = True
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.raw_server import LOCALHOST, request, serve_raw

LIFE = 3600  # seconds of a token


class GoogleTokens:
    """Make it with `serve_google_tokens`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.given = 0
        self.refuses = False
        self.open = asyncio.Event()
        self.open.set()
        self.key = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await request(reader)
            form = parse_qs(body.decode())
            self.asked.append(jwt.decode(form["assertion"][0], options={"verify_signature": False}))
            await self.open.wait()
            status = "400 Bad Request" if self.refuses else "200 OK"
            answer: dict[str, Any] = {"error": "invalid_grant", "error_description": "sesame"}
            if not self.refuses:
                self.given += 1
                answer = {"access_token": f"token-{self.given}", "expires_in": LIFE, "token_type": "Bearer"}
            text = json.dumps(answer)
            kind = "Content-Type: application/json"
            writer.write(f"HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
            await writer.drain()


def service_account(token_uri: str) -> str:
    """The key file of a service account, as Google has people download it."""
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": _private_key(),
        "client_email": "router@p.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }
    return json.dumps(account, indent=2)


@cache
def _private_key() -> str:
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


@asynccontextmanager
async def serve_google_tokens() -> AsyncGenerator[GoogleTokens]:
    """Starts one on a free port."""
    google = GoogleTokens()
    async with serve_raw(google.talk) as server:
        google.key = service_account(f"http://{LOCALHOST}:{server.port}/token")
        yield google
