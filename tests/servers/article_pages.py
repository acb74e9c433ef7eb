"""Pages as news sites have them: an article with all that stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

TITLE = "Xiaomi recalls 4,112 cars over a frozen door handle"
STORY = (
    "Xiaomi said on Monday that it would recall 4,112 cars of the SU7 Ultra: a door handle may fail in the cold.",
    "The company found the fault in winter tests near Yakeshi, where eleven handles froze shut within two hours.",
    "Owners are asked to book a visit of forty minutes, and the part is replaced at no cost to them.",
    "Shares in Hong Kong fell by two percent in the morning and recovered most of it by the close.",
)
CHINESE_TITLE = "小米召回四千余辆汽车:门把手低温失灵"
CHINESE_STORY = (
    "小米汽车周一宣布,因门把手在低温下可能失灵,将召回四千一百一十二辆SU7 Ultra轿车。",
    "公司在牙克石附近的冬季测试中发现了这一缺陷,十一个把手在两小时内被冻住。",
    "车主可以预约四十分钟的到店服务,更换零件不收取任何费用。",
    "公司港股早盘下跌百分之二,收盘前收回大部分跌幅。",
)
#: Words of what stands around; none of them may get into the article.
AROUND = ("842 partners", "Most read", "Szeged", "all rights reserved", "daily newsletter", "says user")
CHINESE_AROUND = ("首页", "相关阅读", "比亚迪", "版权所有", "网友")

_BANNER = (
    "<div id='cookie-banner' class='consent'><p>We and our 842 partners store data on your device to measure audiences."
    " You can accept or refuse.</p><button>Accept all</button></div>"
)
_NAVIGATION = "<nav><ul>{}</ul></nav>".format(
    "".join(f"<li><a href='/{name}'>{name}</a></li>" for name in ("Home", "Markets", "Cars", "Batteries", "Podcasts"))
)
_SIDEBAR = (
    "<aside class='sidebar'><h3>Most read</h3><ul><li><a href='/byd'>BYD opens its second European plant in Szeged</a>"
    "</li><li><a href='/y'>Why the Model Y costs less again</a></li></ul></aside>"
)
_SIGN_UP = (
    "<div class='newsletter-signup'><h4>Never miss a story</h4><p>Get our daily newsletter in your inbox.</p>"
    "<form><input name='email'><button>Subscribe</button></form></div>"
)
_FOOTER = "<footer><p>© 2026 Wheel Times, all rights reserved. <a href='/privacy'>Privacy</a></p></footer>"
_CHINESE_NAVIGATION = "<div class='nav'>{}</div>".format(
    "".join(f"<a href='/{number}'>{name}</a>" for number, name in enumerate(("首页", "新闻", "汽车", "财经", "登录")))
)
_CHINESE_END = (
    "<div class='related'><h3>相关阅读</h3><ul><li><a href='/1'>比亚迪海外第二工厂开工</a></li></ul></div>"
    "<div class='footer'>版权所有 车轮时报 未经许可不得转载</div>"
)


def html(body: str, *, title: str = TITLE, head: str = "<meta charset='utf-8'>") -> bytes:
    """Return a document in UTF-8."""
    return f"<!doctype html><html><head>{head}<title>{escape(title)}</title></head><body>{body}</body></html>".encode()


def comments(count: int, said: str = "My own car is five years old and opens as on the first day") -> str:
    """Return what readers wrote below."""
    each = "".join(
        f"<li class='comment'><div class='comment-body'><p>{said}, says user {number}.</p></div></li>"
        for number in range(count)
    )
    return f"<section id='comments' class='comments'><h2>{count} comments</h2><ol>{each}</ol></section>"


def paragraphs(story: Sequence[str], tag: str = "p") -> str:
    """Return each sentence as an element."""
    return "".join(f"<{tag}>{escape(one)}</{tag}>" for one in story)


def article_page(story: Sequence[str] = STORY, *, title: str = TITLE) -> bytes:
    """Return the page of an article, with everything that a news site puts around it."""
    written = f"<article><h1>{escape(title)}</h1>{paragraphs(story)}</article>"
    around = f"{_BANNER}<header>{_NAVIGATION}</header><main>{written}{_SIDEBAR}</main>{_SIGN_UP}{comments(3)}{_FOOTER}"
    return html(around, title=f"{title} | Wheel Times")


def login_page() -> bytes:
    """Return what stands in place of an article for whoever is not known."""
    form = (
        "<form><label>Email<input></label><label>Password<input type='password'></label><button>Sign in</button></form>"
    )
    told = (
        "<p>No account? Register now and read three articles a month for free, on every device, with one password.</p>"
    )
    return html(f"<main><h1>Sign in</h1>{form}{told}</main>{_FOOTER}", title="Sign in | Wheel Times")


#: By shape: the page, the sentences of its article, and words of what stands around it.
SHAPES: dict[str, tuple[bytes, Sequence[str], Sequence[str]]] = {
    "an article element": (article_page(), STORY, AROUND),
    "nothing but divisions": (
        html(
            f"<div id='top'>{_NAVIGATION}</div><div class='left'><div class='headline'>{TITLE}</div>"
            f"<div class='story'>{paragraphs(STORY, 'div')}</div></div><div class='right'>{_SIDEBAR}</div>{_FOOTER}"
        ),
        STORY,
        AROUND,
    ),
    "line breaks in a table": (
        html(f"<table><tr><td><b>{TITLE}</b><br><br>{'<br><br>'.join(STORY)}</td></tr></table>{_FOOTER}"),
        STORY,
        AROUND[:2],
    ),
    "far more comments than article": (
        html(
            f"{_NAVIGATION}<div><h1>{TITLE}</h1><div class='entry-content'>{paragraphs(STORY)}</div></div>"
            f"{comments(60)}"
        ),
        STORY,
        AROUND,
    ),
    "one paragraph": (html(f"{_NAVIGATION}<main><h1>{TITLE}</h1><p>{STORY[0]}</p></main>{_FOOTER}"), STORY[:1], AROUND),
    "a box in the middle": (
        html(
            f"<article><h1>{TITLE}</h1>{paragraphs(STORY[:2])}<div class='related-posts'>{_SIDEBAR}</div>"
            f"{paragraphs(STORY[2:])}{_SIGN_UP}</article>"
        ),
        STORY,
        AROUND,
    ),
    "tags that nobody closed": (
        f"<title>{TITLE}</title>{_NAVIGATION}<div><h1>{TITLE}</h1>{'<p>'.join(('', *STORY))}</span>".encode(),
        STORY,
        AROUND,
    ),
    "Chinese paragraphs": (
        html(
            f"{_CHINESE_NAVIGATION}<div class='article'><h1>{CHINESE_TITLE}</h1>{paragraphs(CHINESE_STORY)}</div>"
            f"{comments(10, '我自己的车已经五年了,每个把手都和第一天一样好用,网友说')}{_CHINESE_END}",
            title=CHINESE_TITLE,
        ),
        CHINESE_STORY,
        CHINESE_AROUND,
    ),
    "Chinese line breaks": (
        html(
            f"{_CHINESE_NAVIGATION}<div class='con'><h1>{CHINESE_TITLE}</h1>"
            f"{'<br>&#12288;&#12288;'.join(CHINESE_STORY)}</div>{_CHINESE_END}",
            title=CHINESE_TITLE,
        ),
        CHINESE_STORY,
        CHINESE_AROUND,
    ),
    "Chinese in GBK, as only the page says": (
        html(
            f"{_CHINESE_NAVIGATION}<div id='artibody'>{paragraphs(CHINESE_STORY, 'div')}</div>{_CHINESE_END}",
            title=CHINESE_TITLE,
            head="<meta http-equiv='Content-Type' content='text/html; charset=gb2312'>",
        )
        .decode()
        .encode("gbk"),
        CHINESE_STORY,
        CHINESE_AROUND,
    ),
}
