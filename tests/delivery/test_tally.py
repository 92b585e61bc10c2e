"""What follows from what was met at several hosts."""

from mailsuite.delivery import trouble
from mailsuite.delivery.mx import Hop, Missing
from mailsuite.delivery.tally import Tally
from mailsuite.delivery.trouble import Scope, Trouble
from mailsuite.outcome import Deferred, Failed
from mailsuite.route import Route

BEST, BEST_TOO = Hop("mx1.b.example", "192.0.2.1"), Hop("mx1.b.example", "2001:db8::1")
OTHER = Hop("mx2.b.example", "192.0.2.2", rank=1)
WORST = Hop("mx3.b.example", "192.0.2.3", rank=2)
REFUSED = trouble.unreachable("cannot connect: refused")
NO_WAY = trouble.no_way("cannot connect: no network")
NEVER = Trouble(Scope.SESSION, Failed("5.3.2", "never"))
LACK = Trouble(Scope.HOST, Failed("5.3.4", "too large"))
LOOP = Trouble(Scope.LOOP, Failed("5.4.6", "ourselves"))


def verdict(*met: tuple[Hop, Trouble] | Missing) -> Deferred | Failed:
    """Return what follows from *met*."""
    tally = Tally(Route("b.example", "b.example"))
    for each in met:
        if isinstance(each, Missing):
            tally.missing(each)
        else:
            tally.met(*each)
    return tally.verdict()


def gone(rank: int, temporary: bool = False) -> Missing:
    """Return a host without an address."""
    return Missing("gone.example", rank, temporary, "gone.example is not there")


def test_final_where_all_are() -> None:
    """One that may yet take it is enough."""
    assert verdict((BEST, NEVER), (OTHER, LACK)) == LACK.outcome
    assert verdict((BEST, NEVER), (OTHER, REFUSED)) == REFUSED.outcome
    assert verdict((BEST, NEVER), gone(1)) == NEVER.outcome
    assert isinstance(verdict((BEST, NEVER), gone(1, temporary=True)), Deferred)


def test_hosts_that_are_not_there() -> None:
    """Nobody else is: what DNS says of all of them."""
    outcome = verdict(gone(0), Missing("mx2.b.example", 1, False, "mx2.b.example has no address"))

    assert isinstance(outcome, Failed)
    assert outcome.status == "5.4.4"
    assert outcome.reason.endswith("gone.example is not there; mx2.b.example has no address")


def test_a_host_that_has_said_what_it_lacks() -> None:
    """Says so for all of its addresses; other hosts do not count for less."""
    assert verdict((BEST, REFUSED), (BEST_TOO, LACK)) == LACK.outcome
    assert verdict((OTHER, REFUSED), (BEST_TOO, LACK)) == REFUSED.outcome


def test_no_way_to_some_address() -> None:
    """It counts only where the host was not reached by another one."""
    assert verdict((BEST_TOO, NO_WAY), (BEST, NEVER)) == NEVER.outcome
    assert verdict((BEST_TOO, NO_WAY), (OTHER, NEVER)) == NO_WAY.outcome
    assert verdict((BEST_TOO, NO_WAY)) == NO_WAY.outcome


def test_ourselves() -> None:
    """What is better than we are counts, and nothing else; without that it is a loop (RFC 5321 §5.1)."""
    assert verdict((BEST, LOOP)) == LOOP.outcome
    assert verdict((OTHER, REFUSED), (OTHER, LOOP)) == LOOP.outcome
    assert verdict(gone(1, temporary=True), (OTHER, LOOP)) == LOOP.outcome
    assert verdict((BEST, REFUSED), (OTHER, NEVER), (OTHER, LOOP)) == REFUSED.outcome
    assert isinstance(verdict(gone(0, temporary=True), (OTHER, LOOP)), Deferred)
    assert verdict((BEST, NEVER), (OTHER, REFUSED), (WORST, LOOP)) == REFUSED.outcome


def test_search_that_was_cut_short() -> None:
    """Nobody knows what the others would have said; what was said last is told all the same."""
    tally = Tally(Route("b.example", "b.example"))
    tally.met(BEST, NEVER)
    tally.search_ended(trouble.not_all_tried(1))
    assert isinstance(tally.verdict(), Deferred)

    tally.met(OTHER, REFUSED)
    assert tally.verdict() == REFUSED.outcome
