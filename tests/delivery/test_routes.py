"""The routes table."""

from mailsuite.address import Address
from mailsuite.delivery import routes
from mailsuite.delivery.routes import RouteRule, Routes
from mailsuite.queued import LOCAL
from mailsuite.route import Route
from tests.doubles_delivery import address

MX = Route("", "", port=2525, tls="may")
ALICE = Address("alice", "sender.example")


def rule(name: str, *recipients: str, senders: tuple[str, ...] = (), host: str = "") -> RouteRule:
    """Return a rule to *host*, which is ``NAME.example`` unless it is said."""
    return RouteRule(name, Route("", "", host or f"{name}.example", private=True), recipients, senders)


def way(table: Routes, recipient: str, sender: Address | None = ALICE) -> str:
    """Return the destination of mail for *recipient*."""
    return table.route(address(recipient), sender).destination


def test_without_rules_by_mx() -> None:
    """The destination is the domain, in the one form in which domains are compared."""
    route = Routes((), MX).route(address("bob@Bücher.Example"), ALICE)

    assert route == Route("xn--bcher-kva.example", "xn--bcher-kva.example", port=2525, tls="may")


def test_exact_domain_before_suffix() -> None:
    """A domain's own rule goes before the one of all below."""
    table = Routes([rule("below", ".example.net"), rule("own", "mail.example.net")], MX)

    assert way(table, "bob@mail.example.net") == "route:own"
    assert way(table, "bob@www.example.net") == "route:below"


def test_longest_suffix_wins() -> None:
    """Of two suffixes the longer one says more."""
    table = Routes([rule("short", ".example.net"), rule("long", ".a.example.net")], MX)

    assert way(table, "bob@x.y.a.example.net") == "route:long"
    assert way(table, "bob@a.example.net") == "route:short"


def test_a_suffix_is_not_for_the_domain_itself() -> None:
    """``.example.net`` is all below example.net."""
    table = Routes([rule("below", ".example.net")], MX)

    assert way(table, "bob@example.net") == "example.net"
    assert way(table, "bob@notexample.net") == "notexample.net"


def test_recipient_before_sender() -> None:
    """Where mail goes is decided by whom it is for, first: even a suffix goes before the sender's own domain."""
    table = Routes([rule("from", senders=("sender.example",)), rule("to", ".example.net")], MX)

    assert way(table, "bob@a.example.net") == "route:to"
    assert way(table, "bob@example.org") == "route:from"


def test_sender_by_suffix() -> None:
    """Senders have suffixes, too."""
    table = Routes([rule("from", senders=(".example",))], MX)

    assert way(table, "bob@example.org") == "route:from"
    assert way(table, "bob@example.org", Address("a", "other.test")) == "example.org"


def test_null_reverse_path_has_no_sender_rule() -> None:
    """A report goes by its recipient alone."""
    assert way(Routes([rule("from", senders=("sender.example",))], MX), "bob@example.org", None) == "example.org"


def test_rule_for_all() -> None:
    """A rule without domains takes what no other rule takes."""
    table = Routes([rule("smarthost"), rule("to", "example.net")], MX)

    assert way(table, "bob@example.org") == "route:smarthost"
    assert way(table, "bob@example.net") == "route:to"


def test_rules_compare_domains_by_key() -> None:
    """Case and U-labels do not matter."""
    table = Routes([rule("to", "BÜCHER.example", ".Bücher.test")], MX)

    assert way(table, "bob@xn--bcher-kva.EXAMPLE") == "route:to"
    assert way(table, "bob@shop.xn--bcher-kva.test") == "route:to"


def test_rule_without_host() -> None:
    """A rule may only say how its domain's own exchangers are spoken to."""
    table = Routes([RouteRule("safe", Route("", "", tls="verify"), ("example.net",))], MX)

    assert table.route(address("bob@example.net"), ALICE) == Route("example.net", "example.net", tls="verify")


def test_all_domains_of_a_host_have_one_route() -> None:
    """So a message for many domains goes through a smarthost in one transaction."""
    table = Routes([rule("smarthost")], MX)

    assert table.route(address("a@one.example"), ALICE) == table.route(address("b@two.example"), ALICE)
    assert table.route(address("a@one.example"), ALICE).host == "smarthost.example"


def test_backup() -> None:
    """A domain that we are the backup MX of is marked, whatever way its mail goes."""
    table = Routes([rule("inside", "example.net")], MX, {"example.net", "example.org"}.__contains__)

    inside = table.route(address("bob@Example.NET"), ALICE)
    assert (inside.backup, inside.domain, inside.host) == (True, "example.net", "inside.example")
    assert table.route(address("bob@example.org"), ALICE).backup
    assert not table.route(address("bob@example.com"), ALICE).backup


def test_backup_is_asked_anew() -> None:
    """What is remembered does not outlive a change of the domain's class."""
    backups: set[str] = set()
    table = Routes((), MX, backups.__contains__)
    assert not table.route(address("bob@example.net"), ALICE).backup

    backups.add("example.net")

    assert table.route(address("bob@example.net"), ALICE).backup


def test_address_literal() -> None:
    """The destination of an address literal is the literal."""
    table = Routes((), MX)

    assert way(table, "bob@[192.0.2.1]") == "[192.0.2.1]"
    assert way(table, "bob@[IPv6:2001:db8::1]") == "[ipv6:2001:db8::1]"


def test_no_domain_is_taken_for_our_mailboxes() -> None:
    """Whoever writes to the top-level domain of that name does not meet the local destination."""
    route = Routes((), MX).route(address(f"bob@{LOCAL}"), ALICE)

    assert route.destination != LOCAL
    assert route.domain == LOCAL


def test_what_is_remembered_is_bounded() -> None:
    """Recipients name what domains they like."""
    table = Routes((), MX)

    for number in range(routes.REMEMBERED + 1):
        way(table, f"bob@d{number}.example")

    assert table._remembered.cache_info().currsize == routes.REMEMBERED
