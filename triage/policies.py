"""The policy that triage decides by: which version is in force, a new one applied without a restart, and its trial."""

from collections.abc import Mapping
from http import HTTPStatus
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.contracts.directory import PolicyRecorded
from shared.contracts.vocabulary import Category
from shared.database import Transaction
from shared.identity import Kind, Principal
from shared.messaging.work import Work
from shared.problems import Forbidden, Problem
from shared.web import Page, page, read_cursor
from triage import policy_store, rules
from triage.answers import (
    CategoryTreeShown,
    LoggedShown,
    NodeShown,
    PolicyApplied,
    PolicyShown,
    PolicyVersionShown,
    TextShown,
)
from triage.formats import RulesInvalid, sources_in
from triage.rules import POLICY, Rules


class PolicyInvalid(Problem):
    """The policy's files are not as described; `errors` names each file, line and mistake. Nothing was applied."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Invalid policy"


class InForce:
    """The rules in force, ready for use; made anew when the database says that another version is."""

    def __init__(self, zone: ZoneInfo) -> None:
        """Begins with the rules that ship with Heed; raises RulesInvalid."""
        self._zone = zone
        self.shipped = rules.load(zone)
        self._rules = self.shipped

    async def rules(self, connection: Transaction) -> Rules:
        """The rules to decide by in this transaction."""
        version = await policy_store.version_in_force(connection, POLICY)
        if version is not None and version != self._rules.version:
            self._rules = rules.make(self._zone, await policy_store.load_files(connection, POLICY, version))
        return self._rules


async def announce(work: Work, in_force: InForce) -> None:
    """At start: what ships with Heed comes into force, unless a person applied another policy."""
    versions = await policy_store.list_versions(work.connection, POLICY)
    current = await policy_store.version_in_force(work.connection, POLICY)
    applied = next((each for each in versions if each.version == current), None)
    version = in_force.shipped.version
    if current == version or (applied and applied.applied_by):
        return
    files = sources_in(rules.FOLDER)
    await policy_store.put_in_force(work.connection, POLICY, version, files, work.now, None)
    work.state(PolicyRecorded(policy=POLICY, version=version), POLICY)


async def apply(
    work: Work, caller: Principal, files: Mapping[str, str], zone: ZoneInfo, dry_run: bool
) -> PolicyApplied:
    """Check the files of a policy, say what they change, and bring it into force."""
    _permit(caller)
    try:
        made = rules.make(zone, files)
    except RulesInvalid as wrong:
        raise PolicyInvalid(errors=[_error(line) for line in str(wrong).splitlines()]) from wrong
    before = await policy_store.version_in_force(work.connection, POLICY)
    kept = await policy_store.load_files(work.connection, POLICY, before) if before else {}
    differs = sorted(name for name in {*files, *kept} if files.get(name) != kept.get(name))
    applied = not dry_run and made.version != before
    if applied:
        await policy_store.put_in_force(work.connection, POLICY, made.version, files, work.now, caller.id)
        work.state(PolicyRecorded(policy=POLICY, version=made.version), POLICY)
    return PolicyApplied(version=made.version, before=before, differs=differs, applied=applied)


def _error(line: str) -> dict[str, str]:
    place, _, detail = line.partition(": ")
    return {"pointer": place, "detail": detail or place}


async def show(connection: Transaction, caller: Principal) -> PolicyShown:
    """The version in force, and all that were."""
    _permit(caller)
    versions = await policy_store.list_versions(connection, POLICY)
    return PolicyShown(
        version=await policy_store.version_in_force(connection, POLICY),
        versions=[
            PolicyVersionShown(version=each.version, applied_at=each.applied_at, applied_by=each.applied_by)
            for each in versions
        ],
    )


async def list_log(connection: Transaction, caller: Principal, cursor: str | None, limit: int) -> Page[LoggedShown]:
    """What the machine decided and on which texts, request by request, to try another policy on."""
    _permit(caller)
    (after,) = read_cursor(cursor, UUID) or (None,)
    logged = await policy_store.list_log(connection, after, limit + 1)
    return page(logged, limit, _logged, lambda each: (each.request_id,))


def _logged(each: policy_store.Logged) -> LoggedShown:
    return LoggedShown(
        request_id=each.request_id,
        texts=[
            TextShown(
                text=text.text,
                language=text.language,
                filed_at=text.filed_at,
                received_at=text.received_at,
                stated_category=text.stated_category,
                vulnerability=list(text.vulnerability),
            )
            for text in each.texts
        ],
        category=each.decided.category,
        colour=each.decided.colour,
        deadline=each.decided.deadline,
        policy_version=each.decided.policy_version,
    )


async def read_category(connection: Transaction, in_force: InForce, category: Category) -> CategoryTreeShown:
    """A category of the policy in force, with what lies below it."""
    branch = (await in_force.rules(connection)).tree[category]
    below = [NodeShown(id=name, name=node.named(), ask=node.asked()) for name, node in branch.below.items()]
    return CategoryTreeShown(id=category, name=branch.named(), ask=branch.asked(), below=below)


def _permit(caller: Principal) -> None:
    if caller.kind is not Kind.SUPERVISOR:
        raise Forbidden
