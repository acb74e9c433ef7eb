"""What a query may say, and the sentence that its writer gets when it may not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.core.errors import QueryError
from alerts.core.query import parse
from alerts.core.query.mistakes import DEEPEST_NESTING
from alerts.core.query.parser import LONGEST_QUERY
from alerts.core.query.terms import LONGEST_TERM, USUAL_DISTANCE
from alerts.core.query.tree import And, Field, Near, Node, Not, Or, Term, leaves

OPERATORS = st.sampled_from(
    ["AND", "OR", "NOT", "(", ")", '"', "*", "\\", ":", " ", "\n", "title:", "about:(", "x", "米"]
)


def text(word: str, field: Field = Field.TEXT, *, prefix: bool = False) -> Term:
    return Term(field, word, word.lower(), prefix)


A, B, C = text("a1"), text("b1"), text("c1")


def about(word: str, above: float) -> Term:
    return Term(Field.ABOUT, word, word.lower(), above=above)


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
        ("a1, OR b1,", Or((A, B))),
        ("(a1, ) b1; NOT c1.", And((A, B, Not(C)))),
        ("1,000 １，０００", And((text("1,000"), Term(Field.TEXT, "１，０００", "1,000")))),
        (r"a1\,b1 小米\|汽车", And((text("a1,b1"), text("小米|汽车")))),
        ("'s-Hertogenbosch", Term(Field.TEXT, "'s-Hertogenbosch", "'s hertogenbosch")),
        ("O'Reilly 'til", And((Term(Field.TEXT, "O'Reilly", "o'reilly"), text("'til")))),
        ("AC/DC km/h W/O", And((text("AC/DC"), text("km/h"), text("W/O")))),
        ("Ｔｉｔｌｅ：a1", text("a1", Field.TITLE)),
        ("ticker:1810.HK", Term(Field.TICKER, "1810.HK", "hkg:1810")),
        ("ticker:SEHK:01810", Term(Field.TICKER, "SEHK:01810", "hkg:1810")),
        ("ticker:$TSLA", Term(Field.TICKER, "$TSLA", "tsla")),
        ("ticker:HK:18*", Term(Field.TICKER, "HK:18", "hk:18", prefix=True)),
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
        ("a1 NEAR b1", Near(((A,), (B,)), USUAL_DISTANCE, "a1 NEAR b1")),
        ("a1 NEAR/3 b1 c1", And((Near(((A,), (B,)), 3, "a1 NEAR/3 b1"), C))),
        ("NOT a1 NEAR b1 c1", And((Not(Near(((A,), (B,)), 10, "a1 NEAR b1")), C))),
        ("a1 NEAR/2 b1 NEAR/2 c1", Near(((A,), (B,), (C,)), 2, "a1 NEAR/2 b1 NEAR/2 c1")),
        ("(a1 OR b1) NEAR/0 c1", Near(((A, B), (C,)), 0, "(a1 OR b1) NEAR/0 c1")),
        (
            "title:(a1 NEAR b1)",
            Near(((text("a1", Field.TITLE),), (text("b1", Field.TITLE),)), 10, "title:(a1 NEAR b1)"),
        ),
        ("title:a1 NEAR title:b1", parse("title:(a1 NEAR b1)").root),
        ('"a1  b1"~5', Near(((A,), (B,)), 5, '"a1  b1"~5')),
        ('title:"a1 b1"～5', Near(((text("a1", Field.TITLE),), (text("b1", Field.TITLE),)), 5, 'title:"a1 b1"~5')),
        ("NEARBY", text("NEARBY")),
        ('"near"', text("near")),
        ("about:A1>0.7", about("A1", 0.7)),
        ("about:A1＞.75", about("A1", 0.75)),
        ('about:"A1">0', about("A1", 0)),
        ("about:(A1 OR B1>0.9)>0.7", Or((about("A1", 0.7), about("B1", 0.9)))),
        ("about:(A1) B1", And((Term(Field.ABOUT, "A1", "a1"), text("B1")))),
        (r"about:A1\>0.7", Term(Field.ABOUT, "A1>0.7", "a1>0.7")),
        ("about:el*>0.7", Term(Field.ABOUT, "el", "el", prefix=True, above=0.7)),
        ('about:"el"*>0.7', Term(Field.ABOUT, "el", "el", prefix=True, above=0.7)),
        ("a1->b1", Term(Field.TEXT, "a1->b1", "a1 >b1")),
        ("case:NIO", Term(Field.CASE, "NIO", "nio", exact="NIO")),
        ("case:Ｎi-O*", Term(Field.CASE, "Ｎi-O", "ni o", prefix=True, exact="Ni O")),
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
        ("a*b", 1, 2, "A * may only end a word"),
        (
            "小米，特斯拉",
            1,
            3,
            'A "，" joins nothing: for either write 小米 OR 特斯拉, for both 小米 AND 特斯拉, for the text',
        ),
        ("a1, b1", 1, 3, 'A "," joins nothing: for either write a1 OR b1'),
        ("a1 ; (b1)", 1, 4, 'A ";" joins nothing: for either write Xiaomi OR Tesla'),
        ('"a1"、"b1"', 1, 5, 'A "、" joins nothing'),
        ("title:(a1,b1)", 1, 10, 'A "," joins nothing: for either write a1 OR b1'),
        ("1,000,a1", 1, 6, 'A "," joins nothing'),
        ("a1|b1", 1, 3, "| is no operator here: write OR, with spaces around it"),
        ("a1&&b1", 1, 3, "& is no operator here: write AND, with spaces around it"),
        ("a1 ｜ b1", 1, 4, "｜ is no operator here: write OR."),
        ("特斯拉｜小米", 1, 4, "｜ is no operator here"),
        ("[a1 OR b1]", 1, 1, "Only ( and ) group. For [ itself use double quotes"),
        ("a1}", 1, 3, "Only ( and ) group"),
        ("「小米」", 1, 1, 'A phrase stands in double quotes: "…". For 「 itself put it inside them too'),
        ("«Li Auto»", 1, 1, "A phrase stands in double quotes"),
        ("'Li Auto'", 1, 1, "A phrase stands in double quotes"),
        ("title:(‘Li Auto’)", 1, 8, "A phrase stands in double quotes"),
        ("/xia.*mi/i", 1, 1, "Regular expressions are not known here"),
        ("xi?omi", 1, 3, "No sign stands for one letter"),
        ("Xiaomi^2", 1, 7, "Terms have no weights here"),
        ("about:a1<0.5", 1, 9, "A score is only compared with >, as in about:Xiaomi>0.7"),
        ("about:a1≥0.5", 1, 9, "A score is only compared with >"),
        ("a1 W/5 b1", 1, 4, "Nearness is written with NEAR"),
        ("a1 NEAR /5 b1", 1, 9, "Nearness is written with NEAR"),
        ("a1 –b1", 1, 4, "To leave articles out write NOT b1. For the text itself"),
        ("title :a1", 1, 7, "A field stands right before its colon"),
        ("HKG:1810", 1, 1, 'There is no field "HKG:". A share is written ticker:HKG:…, without spaces'),
        ("ticker:HKG: 1810", 1, 11, "A share is written without a space, as in ticker:HKG:1810; or in quotes"),
        ("ticker:HKG:", 1, 11, "A share is written without a space"),
        ("lang:english", 1, 6, "A language is written as its code: lang:en."),
        ("lang:cn", 1, 6, "A language is written as its code: lang:zh."),
        ("lang:klingon", 1, 6, "A language is written as its code: lang:en, lang:zh-Hans"),
        ("小米 OR特斯拉", 1, 4, "Put a space on each side of OR"),
        ("샤오미OR테슬라", 1, 4, "Put a space on each side of OR"),
        ("小米NOT 特斯拉", 1, 3, "Put a space on each side of NOT"),
        (f"-{'a' * 90}", 1, 1, f"To leave articles out write NOT {'a' * 40}…. For"),
        ("a\u202eb|c", 1, 4, "| is no operator here"),
        ("Xi\0aomi", 1, 3, "Here stands U+0000, which is no character of a text. Remove it"),
        ("a1 \ud83d", 1, 4, "Here stands U+D83D"),
        ("a1\x1b[31m", 1, 3, "Here stands U+001B"),
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
        ("a1 near b1", 1, 4, "Operators are in capitals: NEAR. For the word itself"),
        ("a1 near/5 b1", 1, 4, "Operators are in capitals: NEAR/5"),
        ("小米 ＯＲ 特斯拉", 1, 4, "Operators are in capitals: OR. For the word itself"),
        ("小米OR特斯拉", 1, 3, "Put a space on each side of OR"),
        ("NEAR a1", 1, 1, "NEAR needs a term on each side"),
        ("NEAR/3", 1, 1, "NEAR/3 needs a term on each side"),
        ("a1 NEAR", 1, 8, "The query ends where a term should follow"),
        ("a1 NEAR/ b1", 1, 8, "Behind / stands how many other words may lie between, 0 to 100, as in Xiaomi NEAR/5"),
        ("a1 NEAR/101 b1", 1, 8, "Behind / stands"),
        ("a1 NEAR/٣ b1", 1, 8, "Behind / stands"),
        ("a1 NEAR/2 b1 NEAR c1", 1, 14, "In one chain every NEAR has the same distance"),
        ("(a1 NEAR b1) NEAR c1", 1, 14, "NEAR stands between words, phrases and alternatives"),
        ("a1 NEAR (b1 c1)", 1, 4, "NEAR stands between words, phrases and alternatives"),
        ("c1 NEAR a1 NEAR (b1 OR NOT c1)", 1, 12, "NEAR stands between words, phrases and alternatives"),
        ("title:a1 NEAR b1", 1, 10, "NEAR needs both in one place"),
        (
            "about:(a1 NEAR b1)",
            1,
            11,
            "Nearness is asked of texts: without a field, or in title:, summary:, body:, case:",
        ),
        ('tag:"a1 b1"~5', 1, 12, "Nearness is asked of texts"),
        ('"a1"~5', 1, 5, "Nearness needs two words or more"),
        ('"a1 &"~5', 1, 1, "There is no letter or digit"),
        ('"a1 b1"~', 1, 8, 'Behind ~ stands how many other words may lie between, 0 to 100, as in "battery fire"~5'),
        ('"a1 b1"*~5', 1, 9, "Behind a phrase may stand *, or ~ with a distance"),
        ('"a1 b1"*x', 1, 9, "Behind a phrase may stand *, or ~ with a distance"),
        ("a1~5", 1, 1, "A distance stands behind a phrase"),
        ("about:a1>", 1, 9, "Behind > stands a score from 0 to 0.99 that must be exceeded, as in about:Xiaomi>0.7"),
        ("about:a1>1", 1, 9, "Behind > stands a score"),
        ("about:a1>=0.7", 1, 9, "Behind > stands a score"),
        ("about:a1>70%", 1, 9, "Behind > stands a score"),
        ("about:a1>0.755", 1, 9, "Behind > stands a score"),
        ("about:(a1 OR b1)>high", 1, 17, "Behind > stands a score"),
        ("about:a1 > 0.7", 1, 10, "A score stands right behind its term"),
        ("about:a1 >0.7", 1, 10, "A score stands right behind its term"),
        ("about:(a1 >0.7)", 1, 11, "A score stands right behind its term"),
        ("a1>0.7", 1, 1, "A score stands right behind its term"),
        ("title:(a1)>0.7", 1, 11, "Only about: has a score to compare"),
        ('"a1">0.7', 1, 5, "Only about: has a score to compare"),
        ("NOT a1 NEAR b1", 1, 1, "The query would match articles in which it finds nothing"),
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
    assert len(list(leaves(parse("ab " * (LONGEST_QUERY // 3)).root))) == LONGEST_QUERY // 3
    assert parse("NOT " * 2000 + "a").root == text("a")
    assert parse("(" * DEEPEST_NESTING + "a" + ")" * DEEPEST_NESTING).root == text("a")
    assert len(list(leaves(parse("about:(" + "a OR " * 1500 + "NOT NOT b)").root))) == 1501


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
        assert all(isinstance(leaf, Near) or leaf.key for leaf in leaves(root))


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
    assert (read.field, read.text, read.prefix) == (
        field,
        words.translate(str.maketrans("（）：＊＞～", "():*>~")),
        prefix,
    )
    assert parse(str(read)).root == read
