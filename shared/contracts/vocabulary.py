"""Words that all services, the API, the events and the documents share."""

from datetime import datetime
from enum import StrEnum


class Colour(StrEnum):
    """How urgent a request is; red before yellow before green."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"

    @property
    def rank(self) -> int:
        """0 for green, 1 for yellow, 2 for red: a higher rank is more urgent."""
        return ("green", "yellow", "red").index(self.value)


class Channel(StrEnum):
    """The way a request reached us."""

    APP = "app"
    WECHAT = "wechat"
    HOTLINE = "hotline"
    VISIT = "visit"
    PARTNER = "partner"


class Language(StrEnum):
    """The languages that Heed reads and speaks (ISO 639-1)."""

    ZH = "zh"
    EN = "en"

    @classmethod
    def of(cls, text: str) -> "Language":
        """Chinese where it has as many Chinese characters as other words, so that a place's name makes no language."""
        chinese = sum("\u3400" <= c <= "\u9fff" or "\U00020000" <= c <= "\U0003ffff" for c in text)
        words = sum(any(c.isascii() and c.isalpha() for c in word) for word in text.split())
        return cls.ZH if chinese and chinese >= words else cls.EN


class Category(StrEnum):
    """What a request is about, at the top level of the tree."""

    MEDICAL = "medical"
    MEDICINE = "medicine"
    FOOD_SUPPLIES = "food_supplies"
    TRANSPORT = "transport"
    ELDERLY_CHILD_CARE = "elderly_child_care"
    MATERNITY = "maternity"
    QUARANTINE_POLICY = "quarantine_policy"
    UTILITIES_PROPERTY = "utilities_property"
    MENTAL_HEALTH = "mental_health"
    WORK_TRAVEL = "work_travel"
    RESCUE = "rescue"
    COMPLAINT = "complaint"
    OTHER = "other"


class Vulnerability(StrEnum):
    """Why somebody is in more danger than others, as the filer ticks it; words of the form, nothing of the person."""

    ELDERLY = "elderly"
    CHILD = "child"
    INFANT = "infant"
    PREGNANT = "pregnant"
    DISABLED = "disabled"
    CHRONICALLY_ILL = "chronically_ill"
    ALONE = "alone"


class Status(StrEnum):
    """Where a request is in its life; follows the lead task alone."""

    RECEIVED = "received"
    TRIAGED = "triaged"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    ANSWERED = "answered"
    DISPUTED = "disputed"
    CLOSED = "closed"
    REJECTED = "rejected"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"
    ARCHIVED = "archived"

    @property
    def is_ending(self) -> bool:
        """True where nothing more is owed (a look-back may still dispute a closed one)."""
        return self in ENDINGS


ENDINGS = frozenset({Status.CLOSED, Status.REJECTED, Status.MERGED, Status.WITHDRAWN, Status.ARCHIVED})


class Role(StrEnum):
    """A task's part in its case: one leads and answers, the others assist."""

    LEAD = "lead"
    ASSISTING = "assisting"


class Outcome(StrEnum):
    """How a closed request ended."""

    CONFIRMED = "confirmed"
    UNREACHED = "unreached"
    UNASKED = "unasked"


class HolderKind(StrEnum):
    """Who holds a request at a moment."""

    SERVICE = "service"
    ORGANISATION = "organisation"
    RESIDENT = "resident"


class Stage(StrEnum):
    """A stage with a clock."""

    ACKNOWLEDGED = "acknowledged"
    TRIAGE_CONFIRMED = "triage_confirmed"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    CONTACTED = "contacted"
    ANSWERED = "answered"
    FULFILLED = "fulfilled"
    ARBITRATED = "arbitrated"
    SUPERVISED = "supervised"


class SupervisionCause(StrEnum):
    """Why a supervision order was made."""

    OVERDUE = "overdue"
    REOPENED = "reopened"
    SECOND_RETURN = "second_return"
    BY_HAND = "by_hand"


class TransferCause(StrEnum):
    """Why a task went to a colleague."""

    SHIFT_CHANGE = "shift_change"
    BY_HAND = "by_hand"


class PlaceSource(StrEnum):
    """From what the area of a request was found."""

    COORDINATES = "coordinates"
    AREA = "area"
    ADDRESS = "address"
    NONE = "none"


class PlaceDoubt(StrEnum):
    """Why it is not sure that a request is in its area."""

    NEAR = "near"
    """The coordinates are just outside of it."""
    NAMES = "names"
    """The names in the address are those of several places: it is the smallest area around them."""
    CONFLICT = "conflict"
    """Coordinates and address are in different places: it is the smallest area around both."""
    TEXT = "text"
    """It is only mentioned in the text: somebody may want to go there."""


class TextKind(StrEnum):
    """What a text on heed.texts is."""

    REQUEST = "request"
    AMENDMENT = "amendment"
    NOTE = "note"
    ANSWER = "answer"
    COMMENT = "comment"


class RejectionReason(StrEnum):
    """Why a filing is not a valid request."""

    NOT_A_REQUEST = "not_a_request"
    TEST = "test"
    ABUSE = "abuse"
    OUT_OF_AREA = "out_of_area"


class WithdrawalReason(StrEnum):
    """Why a resident takes a request back."""

    SOLVED_OTHERWISE = "solved_otherwise"
    NO_LONGER_NEEDED = "no_longer_needed"
    FILED_BY_MISTAKE = "filed_by_mistake"
    UNSTATED = "unstated"


class ReturnReason(StrEnum):
    """Why an organisation gives a task back."""

    NOT_OURS = "not_ours"
    WRONG_AREA = "wrong_area"
    NO_CAPACITY = "no_capacity"
    MORE_INFORMATION_NEEDED = "more_information_needed"


class DisputeReason(StrEnum):
    """Why an answer does not stand."""

    NOT_SOLVED = "not_solved"
    LOOK_BACK = "look_back"
    FULFILMENT_MISSED = "fulfilment_missed"


class Decider(StrEnum):
    """Who made an assessment."""

    MACHINE = "machine"
    PERSON = "person"


class Medium(StrEnum):
    """How a person is reached."""

    APP = "app"
    PROVIDER = "provider"
    PHONE = "phone"
    HOME = "home"


class Addressee(StrEnum):
    """Whom a notice is for."""

    RESIDENT = "resident"
    LIAISON = "liaison"
    SUPERVISOR = "supervisor"


class NoticeOutcome(StrEnum):
    """What became of a notice."""

    DELIVERED = "delivered"
    FAILED = "failed"


class AttemptOutcome(StrEnum):
    """What became of a call-back attempt."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    SWITCHED_OFF = "switched_off"
    WRONG_NUMBER = "wrong_number"
    REFUSED = "refused"
    CALL_LATER = "call_later"


class Finding(StrEnum):
    """What follows from the score of an answer."""

    NONE = "none"
    REDO = "redo"
    SUPERVISION = "supervision"


class ProblemKind(StrEnum):
    """What went wrong, as a retrospective groups it."""

    LATE = "late"
    RETURNED = "returned"
    DISPUTED = "disputed"
    MISSED = "missed"
    UNDER_TRIAGED = "under_triaged"
    LOOK_BACK = "look_back"


class ImprovementState(StrEnum):
    """Where an improvement is: a problem that was handed out to be put right."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"

    @classmethod
    def of(cls, due_at: datetime, done_at: datetime | None, now: datetime) -> "ImprovementState":
        """Where one is at `now`, by when it is due and when it was done."""
        if done_at is not None:
            return cls.DONE
        return cls.OVERDUE if now >= due_at else cls.OPEN


class AlarmKind(StrEnum):
    """What somebody who runs Heed must look at."""

    NOT_ACKNOWLEDGED = "not_acknowledged"
    NOT_TRIAGED = "not_triaged"
    REVIEW_OVERDUE = "review_overdue"
    NOT_ASSIGNED = "not_assigned"
    SILENT = "silent"
    NOT_LOOKED_BACK = "not_looked_back"
    SEQUENCE_GAP = "sequence_gap"
    ENDPOINT_DISABLED = "endpoint_disabled"
    CONTACT_LOST = "contact_lost"
    IMPROVEMENT_OVERDUE = "improvement_overdue"
    NOT_REACHED = "not_reached"


class FiledBy(StrEnum):
    """In what capacity a request was filed."""

    RESIDENT = "resident"
    OPERATOR = "operator"
    GRID_WORKER = "grid_worker"
    PARTNER = "partner"
