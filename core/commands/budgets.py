"""Lists, sets and removes budgets. No server needs to run; one that does sees the change within a second."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.commands.dollars import nanos_of
from core.settings import Settings

if TYPE_CHECKING:
    from core.deps import Deps
    from core.rpc.budgets import BudgetAdministration
    from llmrouter.v1.budget_pb2 import Budget

EXAMPLES = """\
examples:
  llmrouter budgets list
  llmrouter budgets set deployment month 500 --hard --thresholds 50,80,100
  llmrouter budgets set user ann@example.com day 2.50 --hard
  llmrouter budgets set project apollo month 100
  llmrouter budgets remove project apollo month

KIND is deployment, user, credential or project; ID is a user's e-mail address, name or number, a credential's number,
or a project's name, and is left out for the deployment. PERIOD is day, week, month or total. Amounts are US dollars."""

_KINDS = ("deployment", "user", "credential", "project")
_PERIODS = ("day", "week", "month", "total")


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show the budgets and what they have spent")
    listing.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    setting = actions.add_parser("set", help="make a budget, or change it")
    setting.add_argument("--hard", action="store_true", help="refuse what there is no room for; else only watch")
    setting.add_argument("--thresholds", default="", metavar="P,P", help="percents at which the webhooks are told")
    remove = actions.add_parser("remove", help="end a budget; its ledger stays")
    for each in (setting, remove):
        each.add_argument("kind", metavar="KIND", choices=_KINDS)
        each.add_argument("rest", metavar="[ID] PERIOD" + (" DOLLARS" if each is setting else ""), nargs="+")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    return asyncio.run(_run(arguments, load()))


async def _run(arguments: Namespace, settings: Settings) -> int:
    from core.commands.offline import opened
    from core.rpc.budgets import BudgetAdministration

    async with opened(settings) as deps:
        methods = BudgetAdministration()
        methods.deps = deps
        if arguments.action == "list":
            return await _list(methods, as_json=arguments.json)
        scope_id, period, dollars = await _target(deps, arguments)
        before = await _find(methods, arguments.kind, scope_id, period)
        if arguments.action == "remove":
            return await _remove(methods, before)
        return await _set(methods, arguments, (scope_id, period, dollars), before)


async def _target(deps: "Deps", arguments: Namespace) -> tuple[str, str, str]:
    """The id as it is stored, the period and the dollars. Raises Failure."""
    from core.commands.failure import Failure
    from core.commands.person import find

    words: list[str] = list(arguments.rest)
    wanted = (arguments.kind != "deployment") + 1 + (arguments.action == "set")
    if len(words) != wanted:
        raise Failure(f"`llmrouter budgets {arguments.action} {arguments.kind}` takes {wanted} words after it")
    dollars = words.pop() if arguments.action == "set" else ""
    period = words.pop()
    if period not in _PERIODS:
        raise Failure(f"'{period}' is no period: say {', '.join(_PERIODS)}")
    scope_id = words.pop() if words else ""
    if arguments.kind == "user":
        scope_id = str((await find(deps, scope_id)).id)
    return scope_id, period, dollars


async def _everything(methods: "BudgetAdministration") -> list["Budget"]:
    from llmrouter.v1.budget_pb2 import ListBudgetsRequest

    found: list[Budget] = []
    token = ""
    while True:
        page = await methods.ListBudgets(ListBudgetsRequest(page_token=token), None)
        found += page.budgets
        token = page.next_page_token
        if not token:
            return found


async def _list(methods: "BudgetAdministration", *, as_json: bool) -> int:
    from core.commands.output import show
    from core.money import dollars_from_nanos
    from llmrouter.v1.budget_pb2 import BudgetPeriod, BudgetScope

    def dollars(nanos: int) -> str:
        return f"{dollars_from_nanos(nanos):f}"

    rows = [
        {
            "id": budget.id,
            "kind": BudgetScope.Name(budget.scope).removeprefix("BUDGET_SCOPE_").lower(),
            "of": budget.scope_id,
            "period": BudgetPeriod.Name(budget.period).removeprefix("BUDGET_PERIOD_").lower(),
            "limit": dollars(budget.limit_nanousd),
            "hard": budget.hard,
            "spent": dollars(budget.balance.settled_nanousd),
            "left": dollars(budget.balance.remaining_nanousd),
        }
        for budget in await _everything(methods)
    ]
    show(rows, as_json=as_json, nothing="no budgets")
    return 0


async def _find(methods: "BudgetAdministration", kind: str, scope_id: str, period: str) -> "Budget | None":
    from core.rpc.budget_message import period_named, scope_of

    named = (scope_of(kind), scope_id, period_named(period))
    return next((b for b in await _everything(methods) if (b.scope, b.scope_id, b.period) == named), None)


async def _set(
    methods: "BudgetAdministration", arguments: Namespace, target: tuple[str, str, str], before: "Budget | None"
) -> int:
    from core.rpc.budget_message import period_named, scope_of
    from llmrouter.v1.budget_pb2 import CreateBudgetRequest, UpdateBudgetRequest

    scope_id, period, dollars = target
    limit, percents = nanos_of(dollars), _percents(arguments.thresholds)
    if before is None:
        request = CreateBudgetRequest(
            scope=scope_of(arguments.kind),
            scope_id=scope_id,
            period=period_named(period),
            limit_nanousd=limit,
            hard=arguments.hard,
            thresholds=percents,
        )
        await methods.CreateBudget(request, None)
    else:
        change = UpdateBudgetRequest(id=before.id, limit_nanousd=limit, hard=arguments.hard, thresholds=percents)
        change.update_mask.paths.extend(["limit_nanousd", "hard", "thresholds"])
        await methods.UpdateBudget(change, None)
    print(f"the budget of {' '.join([arguments.kind, scope_id]).strip()} is {dollars} dollars ({period})")
    return 0


async def _remove(methods: "BudgetAdministration", before: "Budget | None") -> int:
    from core.commands.failure import Failure
    from llmrouter.v1.budget_pb2 import DeleteBudgetRequest

    if before is None:
        raise Failure("there is no such budget; `llmrouter budgets list` shows them")
    await methods.DeleteBudget(DeleteBudgetRequest(id=before.id), None)
    print("removed the budget")
    return 0


def _percents(text: str) -> list[int]:
    from core.commands.failure import Failure

    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise Failure("thresholds are percents with commas between them, such as 50,80") from None
