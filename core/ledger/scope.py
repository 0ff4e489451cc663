"""The scopes of budgets and limits: a kind, and an id of that kind."""

from typing import Final

from core.auth import Principal

CREDENTIAL: Final = "credential"  # an API key, a token or a virtual key, by its number
USER: Final = "user"  # by number
TEAM: Final = "team"  # there are none yet
PROJECT: Final = "project"  # by name
DEPLOYMENT: Final = "deployment"  # everything; its id is ""

BUDGETED: Final = (CREDENTIAL, USER, PROJECT, DEPLOYMENT)
"""The kinds that a budget may have."""

Scope = tuple[str, str]


def scopes_of(principal: Principal) -> list[Scope]:
    """The scopes whose budgets pay for what a principal does."""
    found: list[Scope] = []
    if principal.credential_id:
        found.append((CREDENTIAL, str(principal.credential_id)))
    if principal.user_id:
        found.append((USER, str(principal.user_id)))
    if principal.project:
        found.append((PROJECT, principal.project))
    found.append((DEPLOYMENT, ""))
    return found
