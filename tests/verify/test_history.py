"""The second fold of a request's life comes to the same as the services' own, over random histories."""

import json
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from services.verify import history
from shared.contracts import encode
from shared.contracts.life import TRANSITIONS, Life, fold
from shared.contracts.life import begin as begin_life
from tests.followup.stories import Story
from tests.followup.test_recount import FACTS, USUAL, Tell


def both(story: Story) -> tuple[history.Request, Life]:
    first, *rest = story.events
    life = begin_life(first)  # type: ignore[arg-type] # a story begins with `received`
    request = history.Request()
    for event in rest:
        life = fold(life, event)
        history.take(request, event.type.removeprefix(history.PREFIX), json.loads(encode(event).value or b"{}"))
    return request, life


@given(st.booleans(), st.lists(FACTS, max_size=30))
@settings(deadline=None, max_examples=300)
def test_the_second_fold_comes_to_the_same(usual: bool, steps: Sequence[Tell]) -> None:
    story = Story().received()
    for step in [*(USUAL if usual else []), *steps]:
        step(story)
    request, life = both(story)
    held = (life.holder.kind.value, life.holder.name) if life.holder else None
    assert (request.status, request.holder) == (life.status.value, held)
    assert (request.colour, request.category) == (life.colour, life.category)
    assert (request.outcome, request.owes) == (life.outcome, life.fulfil_by is not None)


def test_both_tables_name_the_same_facts() -> None:
    assert set(history.TABLE) == {fact.TYPE.removeprefix(history.PREFIX) for fact in TRANSITIONS}
