"""The score of an answer that was drawn: five criteria, 0 to 2 each, and what follows from it. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from followup.lookback import Ruling, Visit, dispute, may_look_back
from followup.model import Case
from followup.plan import Criterion, LookBack
from shared.contracts import lookback as b
from shared.contracts.vocabulary import DisputeReason, Finding
from shared.problems import NotInThisState

Score = Mapping[Criterion, int]


class AlreadyScored(NotInThisState):
    """The answer has its score, and keeps it. Take another from the list."""

    title = "Already scored"


def passes(score: Score, plan: LookBack) -> bool:
    """Whether the answer passes."""
    return sum(score.values()) >= plan.pass_at and all(score[criterion] > 0 for criterion in plan.essential)


def finding(score: Score, plan: LookBack) -> Finding:
    """What follows from the score, by the plan's rule."""
    if not passes(score, plan):
        return plan.findings.failed
    return Finding.NONE if min(score.values()) > 0 else plan.findings.zero


def inspect(case: Case, visit: Visit, score: Score, plan: LookBack) -> tuple[Visit, Ruling]:
    """The ruling on a score: a redo disputes the answer where it still stands; supervision is dispatch's to order.

    An answer that was disputed meanwhile is scored all the same: leaving out the bad ones would flatter.
    Raises AlreadyScored.
    """
    if visit.score is not None:
        raise AlreadyScored(state=visit.state)
    found = finding(score, plan)
    fact = b.RequestInspected(
        visit_id=visit.id,
        organisation=visit.stratum.organisation,
        passed=passes(score, plan),
        finding=found,
        **{criterion.value: score[criterion] for criterion in Criterion},
    )
    scored = replace(visit, score=tuple(score[c] for c in Criterion), revision=visit.revision + 1)
    stands = may_look_back(case) and case.open_from == visit.opened_at
    if found is Finding.REDO and stands:
        return scored, dispute(case, DisputeReason.LOOK_BACK, fact)
    return scored, Ruling(case, (fact,))
