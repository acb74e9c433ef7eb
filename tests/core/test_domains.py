from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.deliveries import Dropped, Fault, InDoubt, Reply, Result, Stage, Untried
from alerts.core.domains import REFUSALS, Breaker, BreakerState, Change, Domain, Domains, Sign, sign

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TAKEN = Reply(code=250, text="2.0.0 queued", stage=Stage.BODY)
OURS = Reply(code=550, text="5.7.26 unauthenticated", stage=Stage.BODY)
THROTTLED = Reply(code=421, text="4.7.0 too many", stage=Stage.RCPT)


def learn(
    domain: Domain, result: Result, *, times: int = 1, now: datetime = NOW, took_s: float = 0.1, under_way: int = 8
) -> list[Change]:
    return [domain.learn(result, now=now, took_s=took_s, under_way=under_way) for _ in range(times)]


def shut(now: datetime = NOW) -> Domain:
    domain = Domain(name="gmail.com")
    learn(domain, OURS, times=REFUSALS, now=now)
    return domain


def breaker(domain: Domain) -> Breaker:
    found = domain.breaker()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("result", "meaning"),
    [
        (TAKEN, Sign.TAKEN),
        (OURS, Sign.REFUSES_US),
        (THROTTLED, Sign.SLOW_DOWN),
        (Reply(code=451, text="4.7.650 try later", stage=Stage.BODY), Sign.SLOW_DOWN),
        (Reply(code=450, text="4.2.1 mailbox busy", stage=Stage.RCPT), Sign.NOTHING),
        (Reply(code=450, text="4.7.1 our sender", stage=Stage.MAIL), Sign.NOTHING),
        (Reply(code=550, text="5.1.1 no such user", stage=Stage.RCPT), Sign.NOTHING),
        (Untried(reason="x"), Sign.NOTHING),
        (Dropped(reason="x"), Sign.NOTHING),
    ],
)
def test_what_a_result_says_about_the_domain(result: Result, meaning: Sign) -> None:
    assert sign(result) is meaning


def test_a_domain_just_met_gets_few_mails_at_once_and_more_with_every_success() -> None:
    domain = Domain(name="example.org")
    assert domain.limit(100) == 4
    assert domain.limit(2) == 1
    learn(domain, TAKEN, times=4)
    assert domain.limit(100) == 8
    learn(domain, TAKEN, times=5_000)
    assert domain.limit(100_000) == 1_024


def test_a_slow_down_halves_what_is_under_way_and_growth_is_slow_from_then_on() -> None:
    domain = Domain(name="example.org")
    learn(domain, TAKEN, times=100)
    learn(domain, THROTTLED, under_way=20)
    assert domain.limit(100) == 10
    learn(domain, TAKEN, times=10)
    assert domain.limit(100) == 10
    learn(domain, TAKEN, times=2)
    assert domain.limit(100) == 11


def test_a_domain_that_takes_long_leaves_half_of_the_connections_to_others() -> None:
    domain = Domain(name="example.org")
    learn(domain, TAKEN, times=100)
    learn(domain, Dropped(reason="no reply in time"), took_s=60)
    assert domain.slow
    assert domain.limit(8) == 4
    assert domain.limit(1) == 1
    learn(domain, Untried(reason="the relay closed"), took_s=0.1)
    learn(domain, Fault(reason="a bug"), took_s=0.1)
    assert domain.slow
    learn(domain, TAKEN, took_s=0.1)
    assert domain.limit(8) > 8


def test_five_refusals_in_a_row_open_the_breaker_and_a_success_between_does_not() -> None:
    domain = Domain(name="gmail.com")
    assert learn(domain, OURS, times=4) == [Change.NONE] * 4
    learn(domain, TAKEN)
    assert learn(domain, OURS, times=5) == [Change.NONE] * 4 + [Change.OPENED]
    assert breaker(domain).reason == "550 5.7.26 unauthenticated"
    assert domain.closed_until(NOW) == NOW + timedelta(minutes=5)
    assert learn(domain, OURS, times=3) == [Change.NONE] * 3


def test_slow_downs_in_a_row_open_it_for_a_short_while() -> None:
    domain = Domain(name="example.org")
    learn(domain, THROTTLED, times=5)
    assert domain.closed_until(NOW) == NOW + timedelta(seconds=15)


def test_one_mail_probes_when_the_rest_is_over_and_its_success_closes_the_breaker() -> None:
    domain = shut()
    later = NOW + timedelta(minutes=5)
    assert domain.closed_until(later) is None
    assert domain.state is BreakerState.PROBING
    assert domain.limit(100) == 1
    assert learn(domain, Reply(code=550, text="5.1.1 no", stage=Stage.RCPT), now=later) == [Change.NONE]
    assert learn(domain, TAKEN, now=later) == [Change.CLOSED]
    assert domain.breaker() is None
    assert domain.limit(100) == 4


def test_every_failed_probe_doubles_the_rest_up_to_an_hour() -> None:
    domain, now, rests = shut(), NOW, []
    for _ in range(6):
        probe_at = domain.closed_until(now)
        assert probe_at is not None
        rests.append((probe_at - now) // timedelta(minutes=1))
        now = probe_at
        assert domain.closed_until(now) is None
        assert learn(domain, OURS, now=now) == [Change.OPENED]
    assert rests == [5, 10, 20, 40, 60, 60]
    assert breaker(domain).opened_at == NOW


def test_a_mail_that_was_under_way_and_is_taken_closes_it_too() -> None:
    assert learn(shut(), TAKEN) == [Change.CLOSED]


@given(st.lists(st.sampled_from([TAKEN, OURS, THROTTLED, InDoubt(reason="x"), Untried(reason="y")]), max_size=80))
def test_a_domain_always_lets_a_mail_through_or_says_until_when_not(results: list[Result]) -> None:
    domain, now = Domain(name="example.org"), NOW
    for result in results:
        until = domain.closed_until(now)
        if until is not None:
            assert now < until <= now + timedelta(hours=1)
            now = until
            assert domain.closed_until(now) is None
        assert domain.limit(8) >= 1
        domain.learn(result, now=now, took_s=0.1, under_way=1)
        assert (domain.breaker() is None) == (domain.state is BreakerState.CLOSED)


def test_what_changed_is_told_once_and_what_changes_meanwhile_again() -> None:
    domains = Domains()
    domain = domains["gmail.com"]
    learn(domain, OURS, times=5)
    domains.changed(domain)
    told = domains.untold()
    assert told == {"gmail.com": domain.breaker()}
    learn(domain, TAKEN)
    domains.changed(domain)
    domains.told(told)
    assert domains.untold() == {"gmail.com": None}
    domains.told(domains.untold())
    assert domains.untold() == {}
    domains.told({})
    assert domains.tellings == 2


def test_breakers_are_shared_with_other_processes() -> None:
    ours, theirs = Domains(), Domains()
    known = {"gmail.com": breaker(shut())}
    theirs.agree(known)
    assert theirs["gmail.com"].closed_until(NOW) == NOW + timedelta(minutes=5)
    theirs.agree(known)
    theirs.agree({})
    assert theirs["gmail.com"].state is BreakerState.CLOSED
    domain = ours["gmail.com"]
    learn(domain, OURS, times=5)
    ours.changed(domain)
    ours.agree({})
    assert domain.state is BreakerState.OPEN


def test_an_older_view_of_a_breaker_does_not_undo_a_newer_one() -> None:
    domains = Domains()
    domains.agree({"gmail.com": breaker(shut())})
    later = NOW + timedelta(minutes=5)
    assert domains["gmail.com"].closed_until(later) is None
    domains.agree({"gmail.com": breaker(shut())})
    assert domains["gmail.com"].state is BreakerState.PROBING


def test_healthy_domains_are_forgotten_when_there_are_too_many() -> None:
    domains = Domains(most=3)
    bad = domains["gmail.com"]
    learn(bad, OURS, times=5)
    domains.changed(bad)
    for number in range(10):
        assert domains[f"d{number}.example"].name == f"d{number}.example"
    assert domains["gmail.com"] is bad
    assert len(domains._known) <= 4


def test_a_rest_ends_though_the_clock_was_set_back() -> None:
    domain = shut()
    probe_at = breaker(domain).probe_at
    assert domain.closed_until(NOW) == probe_at
    assert domain.closed_until(NOW - timedelta(hours=2)) is None
    assert domain.state is BreakerState.PROBING
