import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli import main
from shared.contracts.vocabulary import Category, Colour
from tests.triage.builders import the_rules
from triage import evaluation, report
from triage.evaluation import Answer, Line, LinesInvalid, measure, measure_deadlines, read_lines
from triage.model import Assessment

NOW = datetime(2022, 10, 25, 7, 0, tzinfo=UTC)


def line(**said: object) -> Line:
    return Line.model_validate({"id": "x", "text": "一句话"} | said)


def answered(given: Colour, called: Category = Category.OTHER, day: str | None = None, **right: object) -> Answer:
    made = Assessment(category=called, colour=given, policy_version="1")
    return Answer(line(**right), made, datetime.fromisoformat(day).date() if day else None)


def test_a_red_called_less_is_under_triage_and_a_false_red_is_over_triage() -> None:
    figures = measure(
        [
            answered(Colour.RED, urgency="red"),
            answered(Colour.RED, urgency="red"),
            answered(Colour.YELLOW, urgency="red"),
            answered(Colour.GREEN, urgency="red"),
            answered(Colour.RED, urgency="yellow"),
            answered(Colour.GREEN, urgency="green"),
            answered(Colour.RED),
        ],
        lenient=False,
    )
    assert (figures.n_urgency, figures.red_called_green) == (6, 1)
    assert (figures.red_recall, figures.under_triage) == (0.5, 0.5)
    assert figures.red_precision == pytest.approx(2 / 3)
    assert figures.over_triage == pytest.approx(1 / 3)
    assert figures.colour_accuracy == 0.5
    assert figures.confusion["red"] == {"red": 2, "yellow": 1, "green": 1}


def test_alternatives_count_in_the_lenient_score_alone() -> None:
    answers = [
        answered(
            Colour.YELLOW,
            Category.MEDICINE,
            urgency="red",
            urgency_alt=["yellow"],
            category="medical",
            category_alt=["medicine"],
        ),
        answered(Colour.GREEN, Category.OTHER, urgency="green", category="other"),
    ]
    lenient, strict = measure(answers, lenient=True), measure(answers, lenient=False)
    assert (lenient.colour_accuracy, strict.colour_accuracy) == (1.0, 0.5)
    assert (lenient.category_accuracy, strict.category_accuracy) == (1.0, 0.5)
    assert lenient.category_macro_f1 == 1.0
    assert strict.category_macro_f1 == pytest.approx(1 / 3), "medical 0, medicine 0, other 1"


def test_deadlines_are_counted_exactly_and_within_a_day() -> None:
    figures = measure_deadlines(
        [
            answered(Colour.RED, day="2022-10-26", deadline="2022-10-26"),
            answered(Colour.RED, day="2022-10-27", deadline="2022-10-26"),
            answered(Colour.RED, day="2022-10-29", deadline="2022-10-26"),
            answered(Colour.RED, deadline="2022-10-26"),
            answered(Colour.RED),
            answered(Colour.RED, day="2022-10-29"),
        ]
    )
    assert (figures.deadline_exact_accuracy, figures.deadline_day_accuracy) == (0.25, 0.5)
    assert figures.false_deadline_rate == 0.5


def test_nothing_to_measure_gives_none_not_nought() -> None:
    figures = measure([answered(Colour.RED)], lenient=True)
    assert (figures.red_recall, figures.colour_accuracy, figures.category_macro_f1) == (None, None, None)


def test_the_dearest_mistakes_come_first() -> None:
    answers = [
        answered(Colour.RED, urgency="yellow"),
        answered(Colour.GREEN, urgency="red"),
        answered(Colour.YELLOW, urgency="yellow"),
        answered(Colour.YELLOW, urgency="red"),
    ]
    assert evaluation.worst(answers, 10) == [answers[1], answers[3], answers[0]]


def test_a_line_that_is_not_as_described_is_named() -> None:
    with pytest.raises(LinesInvalid, match=r"line 2: urgency"):
        read_lines('{"id": "a", "text": "b"}\n{"id": "a", "text": "b", "urgency": "blue"}\n')


def test_the_page_shows_words_as_they_are_and_loads_nothing() -> None:
    wrong = line(id="<b>", text="<script>喘不上气</script>", urgency="green", category="other")
    answers = evaluation.answer([wrong], the_rules(), NOW)
    page = report.page(evaluation.summary(answers, the_rules(), 5), "<file>")
    loads = [word for word in ("<script", " src=", " href=", "@import", "url(") if word in page]
    assert loads == []
    assert ">喘不上气</mark>" in page


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "lines.jsonl"
    rows = [
        {"id": "1", "text": "爷爷喘不上气", "urgency": "red", "category": "medical", "deadline": None},
        {"id": "2", "text": "请问医保报销要带什么材料", "urgency": "red", "category": "other"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_evaluate_prints_a_table_and_writes_json_and_html(lines: Path, tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.json", tmp_path / "page.html"
    run = CliRunner().invoke(main, ["triage", "evaluate", str(lines), "--json", str(figures), "--html", str(page)])
    assert run.exit_code == 0, run.output
    assert "red recall" in run.output
    measured = json.loads(figures.read_text())
    promised = (
        "n red_recall red_precision under_triage over_triage colour_accuracy category_macro_f1 deadline_day_accuracy "
        "false_deadline_rate"
    )
    assert set(promised.split()) <= set(measured)
    assert (measured["n"], measured["red_recall"], measured["red_called_green"]) == (2, 0.5, 1)
    assert page.read_text().startswith("<!doctype html>")


def test_evaluate_names_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"id": 1}\n')
    run = CliRunner().invoke(main, ["triage", "evaluate", str(file)])
    assert run.exit_code == 1
    assert "line 1" in run.output


def test_explain_shows_the_rules_with_their_words() -> None:
    run = CliRunner().invoke(main, ["triage", "explain", "爷爷喘不上气，药只够两天", "--filed-at", "2022-10-25"])
    assert run.exit_code == 0, run.output
    assert run.output.startswith("red, medical, by 2022-10-27")
    assert "[2:6] 喘不上气" in run.output
    document = json.loads(CliRunner().invoke(main, ["triage", "explain", "爷爷喘不上气", "--json"]).output)
    assert document["colour"] == "red"
    assert document["reasons"][0]["words"] == "喘不上气"
