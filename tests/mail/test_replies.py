import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.mail.replies import MAX_LINE, BrokenReplyError, Replies


async def test_a_reply_that_comes_just_too_late_spoils_no_later_wait() -> None:
    replies, heard = Replies(), asyncio.Event()
    replies.listener = heard.set
    replies.expect(0.01)
    await heard.wait()
    assert replies.waits_in_vain
    replies.listener = None
    replies.data_received(b"250 ok\r\n")
    assert await replies.next(1) == (250, "ok")
    asyncio.get_running_loop().call_later(0.01, replies.data_received, b"354 go on\r\n")
    assert await replies.next(1) == (354, "go on")


async def test_who_is_late_is_told_once() -> None:
    replies, heard = Replies(), asyncio.Event()
    replies.listener = heard.set
    replies.expect(0.01)
    await heard.wait()
    replies.listener = None
    with pytest.raises(TimeoutError):
        await replies.next(1)


async def test_a_deadline_that_moved_is_the_one_that_counts() -> None:
    replies, heard = Replies(), asyncio.Event()
    replies.listener = heard.set
    replies.expect(0.02)
    replies.expect(60)
    await asyncio.sleep(0.05)
    assert not heard.is_set()
    replies.expect(0.01)
    await asyncio.wait_for(heard.wait(), 5)
    replies.connection_lost(None)


@pytest.mark.parametrize(
    ("said", "granted", "may_grant"),
    [
        (b"", False, True),
        (b"250 ok\r\n", False, True),
        (b"250 ok\r\n250 ok\r\n354 go on\r\n", True, True),
        (b"250-a\r\n250 b\r\n250 ok\r\n354 go on\r\n", True, True),
        (b"250 ok\r\n550 5.1.1 nobody\r\n", False, False),
        (b"250 ok\r\n550 5.1.1 nobody\r\n354 go on\r\n", False, False),
        (b"250 ok\r\n250 ok\r\n250 ok\r\n", False, False),
        (b"nonsense\r\n", False, False),
    ],
)
async def test_a_body_may_come_after_three_good_replies_and_not_before(
    said: bytes, granted: bool, may_grant: bool
) -> None:
    replies = Replies()
    replies.data_received(said)
    assert (replies.granted(), replies.may_grant) == (granted, may_grant)


@given(
    st.lists(st.sampled_from([b"250 ok\r\n", b"250-a\r\n250 b\r\n", b"421 4.7.0 no\n", b"354\r\n", b"25"]), max_size=6),
    st.integers(1, 7),
)
async def test_how_it_is_cut_into_packets_means_nothing(said: list[bytes], size: int) -> None:
    stream = b"".join(said)
    whole, pieces = Replies(), Replies()
    whole.data_received(stream)
    for start in range(0, len(stream), size):
        pieces.data_received(stream[start : start + size])
    assert (whole.unasked, whole.ended) == (pieces.unasked, pieces.ended)
    for _ in range(whole.unasked):
        assert await whole.next(1) == await pieces.next(1)


async def test_a_line_without_end_ends_it() -> None:
    replies = Replies()
    replies.data_received(b"250 " + b"x" * MAX_LINE)
    with pytest.raises(BrokenReplyError, match="without end"):
        await replies.next(1)
