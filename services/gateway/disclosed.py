"""What of each fact is told to whom: everyone the same history, each as much of it as is theirs to know."""

from dataclasses import dataclass

from shared.contracts import casework as w
from shared.contracts import lookback as b
from shared.contracts import requests as r
from shared.contracts.envelope import Fact


@dataclass(frozen=True, slots=True)
class Words:
    """Which of a fact's fields are told: `all` to whoever may read the request, `inside` to staff and handlers only.

    A hidden fact is not told at all to those it is hidden from. Hashes are told to nobody.
    """

    all: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    from_residents: bool = False
    from_handlers: bool = False


def _words(for_all: str = "", inside: str = "", **hidden: bool) -> Words:
    return Words(frozenset(for_all.split()), frozenset(inside.split()), **hidden)


WORDS: dict[type[Fact], Words] = {
    r.RequestReceived: _words(
        "channel on_behalf stated_category persons filed_at text_id",
        "vulnerability filed_by language area place_source place_confidence place_doubt received_at",
    ),
    r.RequestRejected: _words("reason text_id", "decided_by approved_by"),
    r.RequestMerged: _words("", "into"),
    r.RequestWithdrawn: _words("reason"),
    r.RequestAmended: _words("text_id"),
    r.RequestArchived: _words(),
    r.RequestTriaged: _words(
        "category colour deadline emergency",
        "revision needs decided_by unsure review_due_at reasons policy_version",
    ),
    r.TaskAssigned: _words(
        "role organisation contact_by answer_by",
        "task_id liaison rule attempt accept_by policy_version beyond_capacity text_id",
    ),
    r.TaskAccepted: _words("role organisation", "task_id liaison"),
    r.TaskReturned: _words("role organisation", "task_id reason belongs_to text_id"),
    r.TaskRecalled: _words("role organisation", "task_id liaison"),
    r.TaskCancelled: _words("role organisation", "task_id"),
    r.ResidentContacted: _words("role organisation medium", "task_id"),
    r.TaskProgressed: _words("role organisation text_id", "task_id"),
    r.RequestAnswered: _words("role organisation text_id fulfil_by", "task_id"),
    r.TaskFulfilled: _words("role organisation text_id", "task_id"),
    r.TaskReminded: _words("", "task_id role organisation stage percent due_at", from_residents=True),
    r.TaskNudged: _words("", "task_id role organisation stage count missed due_at", from_residents=True),
    r.TaskEscalated: _words("", "task_id role organisation stage level", from_residents=True),
    w.TaskConfirmed: _words("", "task_id role organisation happens_at text_id", from_residents=True),
    w.TaskDelivered: _words("", "task_id role organisation quantity delivered asked unit", from_residents=True),
    w.TaskTransferred: _words("", "task_id role organisation cause from_liaison liaison text_id", from_residents=True),
    w.RequestInterimAnswered: _words("role organisation text_id", "task_id"),
    w.ResidentQuestioned: _words("role organisation answer_by text_id", "task_id number policy_version"),
    w.QuestionLapsed: _words("role organisation", "task_id number"),
    w.TaskExtended: _words("role organisation before due_at text_id", "task_id stage hard policy_version"),
    w.TaskArbitrated: _words("", "task_id role organisation returns text_id", from_residents=True),
    w.TaskSupervised: _words(
        "", "task_id role organisation cause stage leader answer_by policy_version text_id", from_residents=True
    ),
    w.SupervisionAnswered: _words("", "task_id role organisation leader text_id", from_residents=True),
    w.DelayPublicised: _words("role organisation stage due_at", "task_id"),
    r.RequestDisputed: _words("reason"),
    r.RequestClosed: _words("outcome"),
    r.RequestRated: _words("solved satisfaction text_id", "counts"),
    # Who was drawn for a look-back is for the handler neither to see nor to sway.
    r.ResidentVisited: _words("attempt medium outcome solved satisfaction", "visit_id", from_handlers=True),
    b.RequestInspected: _words(
        "",
        "visit_id organisation passed finding answers_what_was_asked concrete_action_and_time "
        "right_owner_and_contact plain_and_polite proof_attached",
        from_residents=True,
        from_handlers=True,
    ),
    b.RatingReminded: _words("until"),
    r.PersonNotified: _words("medium about outcome", "notice_id addressee organisation"),
}
