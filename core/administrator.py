"""The first administrator, made at start from the settings where there is none."""

import logging

from sqlalchemy.exc import IntegrityError

from core import inputs
from core.deps import Deps
from core.errors import InvalidArgument
from core.passwords import check_new
from core.settings import SettingsError
from core.store import users

log = logging.getLogger(__name__)


async def ensure_administrator(deps: Deps) -> None:
    """Makes the administrator whom the settings name, unless there is one, whoever that is.

    Several processes may do so at once. Raises SettingsError for an address or a password that can't
    be used, DatabaseError.
    """
    if not deps.settings.admin_email:
        return
    email = _checked(deps)
    if await _exists(deps):
        return
    password_hash = await deps.hasher.hash(deps.settings.admin_password)
    try:
        async with deps.database.write() as connection:
            if await users.has_administrator(connection):
                return
            await users.add(
                connection,
                email=email,
                username=email,
                password_hash=password_hash,
                role=users.ADMIN,
                now=deps.clock.now(),
            )
    except IntegrityError:
        if not await _exists(deps):  # else another process was faster
            log.error("there is no administrator, and LLMROUTER_ADMIN_EMAIL is the address of a user who is none")  # noqa: TRY400 - a trace tells nothing more
        return
    log.info("made the first administrator", extra={"email": email})


def _checked(deps: Deps) -> str:
    """The address in lower case."""
    try:
        email = inputs.email(deps.settings.admin_email)
    except InvalidArgument:
        raise SettingsError("LLMROUTER_ADMIN_EMAIL: must be an e-mail address") from None
    try:
        check_new(deps.settings.admin_password)
    except InvalidArgument as error:
        raise SettingsError(f"LLMROUTER_ADMIN_PASSWORD: {error.message}") from None
    return email


async def _exists(deps: Deps) -> bool:
    async with deps.database.read() as connection:
        return await users.has_administrator(connection)
