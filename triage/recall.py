"""An assessment made good from a fact that a lost state of the database had stated: it stands. Pure."""

from dataclasses import replace

from shared.contracts.requests import RequestTriaged
from triage.model import Assessment, Case


def recall(case: Case, fact: RequestTriaged) -> Case:
    """The case with the assessment that the log has, whatever we would decide now."""
    before = case.current
    assessment = Assessment(
        category=fact.category,
        colour=fact.colour,
        deadline=fact.deadline,
        needs=fact.needs,
        emergency=fact.emergency,
        vulnerable=any(reason.gives == "vulnerable" for reason in fact.reasons) or bool(before and before.vulnerable),
        unsure=fact.unsure,
        review_due_at=fact.review_due_at,
        reasons=fact.reasons,
        policy_version=fact.policy_version,
        decided_by=fact.decided_by,
    )
    return replace(replace(case, revision=fact.revision - 1).decide(assessment), alarms=0)
