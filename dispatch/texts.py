"""What people write about a task: masked before anything else is done with it, and sent its own way."""

import unicodedata
from dataclasses import dataclass

from dispatch.directory import Desk
from dispatch.model import Case
from dispatch.tasks import TextRef
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Language, TextKind
from shared.ids import new_id
from shared.masking import mask
from shared.messaging.work import Work
from shared.sealing import keyed_hash, text_hash

FIRST_HAN, LAST_HAN = "\u4e00", "\u9fff"


@dataclass(frozen=True, slots=True)
class Text:
    """A text that somebody wrote, masked."""

    ref: TextRef
    kind: TextKind
    words: str


def masked_text(desk: Desk, kind: TextKind, words: str) -> Text:
    """The words, masked, under an id of their own."""
    masked, text_id = mask(words), new_id()
    plain = keyed_hash(desk.salt, kind, plain_words(masked)) if kind is TextKind.ANSWER else None
    return Text(TextRef(text_id, text_hash(desk.salt, text_id, masked), plain), kind, masked)


def plain_words(words: str) -> str:
    """Without what a copy may differ in: case, width, spaces, signs."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", words).casefold() if sign.isalnum())


def note_of(desk: Desk, kind: TextKind, words: str | None) -> Text | None:
    """The same, where something was written."""
    return masked_text(desk, kind, words) if words is not None else None


def record_text(work: Work, case: Case, text: Text) -> None:
    """The text goes its own way, behind the fact that names it."""
    fact = TextRecorded(
        text_id=text.ref.text_id,
        request_id=case.life.request_id,
        kind=text.kind,
        text=text.words,
        language=_language(text.words),
        filed_at=work.now,
        received_at=work.now,
    )
    work.state(fact, case.life.request_id, text.ref.text_id)


def _language(words: str) -> Language:
    return Language.ZH if any(FIRST_HAN <= c <= LAST_HAN for c in words) else Language.EN
