"""All texts of a request, read together: what holds, what was put right since, and the earliest deadline. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.contracts.requests import Reason
from shared.contracts.vocabulary import Category, Language, Vulnerability
from triage.clauses import Deadline
from triage.deadlines import find_deadline
from triage.rules import Rules
from triage.signs import Hit, Reading, Standing

SOLVED, BETTER, THANKS, PLEA = "solved", "better", "thanks", "plea"
"""Signs by which a text says that what it tells is over."""
_HEADLINE = re.compile(r"\W*(?:求助|信息|最新|状态|情况|更新|update)*\W*$")
"""What may stand before a word that says of all that follows that it is over: 【已解决】…"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that triage works on, masked."""

    text: str
    language: Language
    filed_at: datetime
    received_at: datetime
    stated_category: Category | None = None
    vulnerability: tuple[Vulnerability, ...] = ()
    """What the form says of those who need help."""
    id: UUID | None = None


@dataclass(slots=True)
class Read:
    """What was found; hits are told apart by the text they are in."""

    texts: Sequence[Text]
    found: dict[str, list[Hit]] = field(default_factory=dict)
    deadline: Deadline | None = None
    deadline_text: Text | None = None
    set_aside: bool = False
    """A danger was named, but as over or feared."""

    def words(self, hit: Hit) -> str:
        """The words of a hit."""
        return self.texts[hit.text].text[hit.start : hit.end]

    def reason(self, rule: str, gives: str, hit: Hit) -> Reason:
        """The reason that a rule found in these words; without a place for what the form says."""
        if hit.start == hit.end:
            return Reason(rule=rule, gives=gives)
        return Reason(rule=rule, gives=gives, text_id=self.texts[hit.text].id, start=hit.start, end=hit.end)


def read_all(texts: Sequence[Text], rules: Rules) -> Read:
    """What the rules find in the texts, the deadline included."""
    read = Read(texts)
    sentences = 0
    for number, text in enumerate(texts):
        reading = rules.phrasebook.read(text.text)
        over_until = _over_until(reading)
        last = 0
        for hit in reading.hits:
            last = max(last, hit.sentence)
            is_over = hit.end <= over_until and hit.name in rules.urgent
            if hit.standing is Standing.STANDS and not is_over:
                placed = hit._replace(sentence=hit.sentence + sentences, text=number) if number else hit
                read.found.setdefault(hit.name, []).append(placed)
            elif hit.name in rules.emergencies and hit.standing is not Standing.DENIED:
                read.set_aside = True
        for word in text.vulnerability:
            ticked = Hit(rules.form[word], 0, 0, sentences, text=number)
            read.found.setdefault(ticked.name, []).append(ticked)
        sentences += last + 1
        deadline = None if over_until else find_deadline(reading.text, text.filed_at, rules.zone)
        if deadline and (read.deadline is None or deadline.at < read.deadline.at):
            read.deadline, read.deadline_text = deadline, text
    return read


def _over_until(reading: Reading) -> int:
    """Up to where what the text tells is over: 已经解决了, 谢谢. 0 where it says no such thing.

    A thank-you for something that got better counts too, unless somebody goes on to ask for help.
    """
    found = reading.standing()
    if solved := found.get(SOLVED):
        is_headline = _HEADLINE.match(reading.text[: solved[0].start])
        return len(reading.text) if is_headline else solved[-1].start
    if not (THANKS in found and BETTER in found):
        return 0
    better = found[BETTER][-1].start
    return 0 if any(hit.start > better for hit in found.get(PLEA, ())) else better
