"""What a query may say, and the sentence that its writer gets when it may not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.core.errors import QueryError
from alerts.core.query import parse
from alerts.core.query.parser import DEEPEST_NESTING, LONGEST_QUERY, LONGEST_TERM
from alerts.core.query.tree import And, Field, Node, Not, Or, Term, terms

OPERATORS = st.sampled_from(
    ["AND", "OR", "NOT", "(", ")", '"', "*", "\\", ":", " ", "\n", "title:", "about:(", "x", "米"]
)


def text(word: str, field: Field = Field.TEXT, *, prefix: bool = False) -> Term:
    return Term(field, word, word.lower(), prefix)


A, B, C = text("a1"), text("b1"), text("c1")


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("a1", A),
        ("a1 b1", And((A, B))),
        ("a1 AND b1", And((A, B))),
        ("a1 OR b1 c1", Or((A, And((B, C))))),
        ("(a1 OR b1) c1", And((Or((A, B)), C))),
        ("a1 NOT b1", And((A, Not(B)))),
        ("a1 NOT NOT b1", And((A, B))),
        ("a1 NOT (b1 OR c1)", And((A, Not(Or((B, C)))))),
        ('"Li Auto"', text("Li Auto")),
        ("electr*", text("electr", prefix=True)),
        ('"solid state"*', text("solid state", prefix=True)),
        ("米*", text("米", prefix=True)),
        ("title:a1", text("a1", Field.TITLE)),
        ("TITLE: a1", text("a1", Field.TITLE)),
        ("title:(a1 NOT b1) c1", And((And((text("a1", Field.TITLE), Not(text("b1", Field.TITLE)))), C))),
        ("tag:#Xiaomi", Term(Field.TAG, "#Xiaomi", "xiaomi")),
        ("lang:zh_Hans", Term(Field.LANG, "zh_Hans", "zh-hans")),
        ("ticker:NASDAQ:TSLA", Term(Field.TICKER, "NASDAQ:TSLA", "nasdaq:tsla")),
        (
            "ticker:(NASDAQ:TSLA HKG:1810)",
            And((Term(Field.TICKER, "NASDAQ:TSLA", "nasdaq:tsla"), Term(Field.TICKER, "HKG:1810", "hkg:1810"))),
        ),
        ('ticker:"HKG: 1810"', Term(Field.TICKER, "HKG: 1810", "hkg:1810")),
        ("小米 OR 特斯拉", Or((text("小米"), text("特斯拉")))),
        ("“Li Auto”（小米）", And((text("Li Auto"), text("小米")))),
        ("about：小米", text("小米", Field.ABOUT)),
        ("a1, b1", And((A, B))),
        ("C++ AT&T .NET", And((text("C++"), text("AT&T"), text(".NET")))),
        (r'"say \"hi\""', text('say "hi"')),
        (r"5\*", text("5*")),
        (r"\or", text("or")),
        ('"AND"', text("AND")),
        ("ANDROID", text("ANDROID")),
        ("a1\nb1", And((A, B))),
        ("e-tron", Term(Field.TEXT, "e-tron", "e tron")),
        ("10:30", text("10:30")),
        ("title:10:30", text("10:30", Field.TITLE)),
        ("🚗", text("🚗")),
        ("Yahoo!", Term(Field.TEXT, "Yahoo", "yahoo")),
    ],
)
def test_a_query_means_what_it_says(query: str, tree: Node) -> None:
    assert parse(query).root == tree


@pytest.mark.parametrize(
    ("query", "line", "column", "sentence"),
    [
        ("", 1, 1, "The query is empty"),
        (" \n ", 1, 1, "The query is empty"),
        ('a "b', 1, 3, "This quotation mark is never closed"),
        ("a (b OR (c)", 1, 3, 'This "(" is never closed'),
        ("a\n OR b)", 2, 6, 'This ")" closes nothing'),
        ("()", 1, 2, 'A term is missing before this ")"'),
        ("title:()", 1, 8, 'A term is missing before this ")"'),
        ("(a OR )", 1, 7, 'A term is missing before this ")"'),
        ("a OR", 1, 5, "The query ends where a term should follow"),
        ("NOT ", 1, 4, "The query ends where a term should follow"),
        ("title:", 1, 7, "The query ends where a term should follow"),
        ("OR a", 1, 1, "OR needs a term on each side"),
        ("a OR OR b", 1, 6, "OR needs a term on each side"),
        ("a AND\nAND b", 2, 1, "AND needs a term on each side"),
        ("title: OR x", 1, 8, "OR needs a term on each side"),
        ("a or b", 1, 3, "Operators are in capitals: OR"),
        ("a && b", 1, 3, "&& is no operator here: write AND"),
        ("a | b", 1, 3, "| is no operator here: write OR"),
        ("a -b", 1, 3, "To leave articles out write NOT b"),
        ("+a", 1, 1, "Every term is needed unless OR stands beside it: write a"),
        ("titel:a", 1, 1, 'There is no field "titel:". Did you mean title:?'),
        ("https://example.com", 1, 1, 'There is no field "https:". Fields are title, summary'),
        ("title:(a body:b)", 1, 10, "body: cannot stand inside title:"),
        ("a*b", 1, 1, "A * may only end a word"),
        ("*", 1, 1, "A * alone would match everything"),
        ('""*', 1, 1, "A * alone would match everything"),
        ("a*", 1, 1, "a* would match nearly everything"),
        ('""', 1, 1, "There is no letter or digit"),
        ("x --", 1, 3, "There is no letter or digit"),
        (",", 1, 1, "There is no letter or digit"),
        ("tag:#", 1, 5, "There is no letter or digit"),
        ("a\\", 1, 2, "A backslash must stand before"),
        ("NOT a", 1, 1, "The query would match articles in which it finds nothing"),
        ("a OR NOT b", 1, 1, "The query would match articles in which it finds nothing"),
        ("NOT a NOT b", 1, 1, "The query would match articles in which it finds nothing"),
        ("a OR NOT a", 1, 1, "The query would match articles in which it finds nothing"),
        ("a" * (LONGEST_TERM + 1), 1, 1, f"This term is longer than {LONGEST_TERM}"),
        ("(" * 60 + "a" + ")" * 60, 1, DEEPEST_NESTING + 1, f"More than {DEEPEST_NESTING} parentheses"),
        ("a " * LONGEST_QUERY, 1, LONGEST_QUERY + 1, "The query is longer than 10,000 characters"),
    ],
)
def test_a_wrong_query_is_refused_with_its_place_and_a_plain_sentence(
    query: str, line: int, column: int, sentence: str
) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"line {line}, column {column}: {sentence}")


def test_the_longest_and_the_deepest_query_are_read() -> None:
    assert len(list(terms(parse("ab " * (LONGEST_QUERY // 3)).root))) == LONGEST_QUERY // 3
    assert parse("NOT " * 2000 + "a").root == text("a")
    assert parse("(" * DEEPEST_NESTING + "a" + ")" * DEEPEST_NESTING).root == text("a")
    assert len(list(terms(parse("about:(" + "a OR " * 1500 + "NOT NOT b)").root))) == 1501


@given(st.text() | st.lists(OPERATORS | st.text(max_size=3)).map("".join) | st.lists(OPERATORS).map(" ".join))
@example("\\\n")
@example('"\\')
@example("NOT(a)OR(b)")
def test_any_text_is_a_query_or_refused(query: str) -> None:
    try:
        root = parse(query).root
    except QueryError as error:
        assert 1 <= error.line <= query.count("\n") + 1  # noqa: PT017 - either outcome is fine, another is not
        assert error.column >= 1  # noqa: PT017 - likewise
    else:
        assert all(term.key for term in terms(root))


@given(
    st.sampled_from(Field),
    st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="“”„‟＂"), max_size=20),
    st.booleans(),
)
def test_a_term_as_shown_reads_back_as_itself(field: Field, words: str, prefix: bool) -> None:
    written = Term(field, words, "", prefix)
    try:
        read = parse(str(written)).root
    except QueryError:
        return  # nothing to look for in it
    assert isinstance(read, Term)
    assert (read.field, read.text, read.prefix) == (field, words.translate(str.maketrans("（）：＊", "():*")), prefix)
