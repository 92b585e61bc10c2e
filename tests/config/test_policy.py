"""What types cannot say about rules that deny and rules that relay."""

from pathlib import Path

import pytest

from mailsuite.config.policy import deny_listeners, relay_listeners
from tests.config.test_loading import MINIMAL, loaded, refused

LISTENERS = (
    '[listen.one]\nservice = "mta"\nendpoint = "tcp:2525"\n'
    '[listen.two]\nservice = "submission"\nendpoint = "tcp:2587"\n'
    '[listen.three]\nservice = "lmtp"\nendpoint = "unix:/run/x"\n'
)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("[deny.x]",), "deny.x: refuses nobody: say peers, helos, senders, recipients or file"),
        (("[deny.x]", 'peers = ["192.0.2.7/24"]'), "deny.x.peers: 192.0.2.7/24 has host bits set"),
        (("[deny.x]", 'senders = ["<>"]'), "deny.x.senders: the null sender cannot be refused"),
        (("[deny.x]", 'senders = ["a b"]'), "deny.x.senders: 'a b' is neither an address, nor a domain"),
        (("[deny.x]", 'file = "x"', 'reply = "go"'), "deny.x.reply: 'go' is no reply; expected one such as"),
        (("[deny.x]", 'file = "x"', 'reply = "250 2.0.0 Yes"'), "deny.x.reply: 250 is no reply code"),
        (("[deny.x]", 'file = "x"', 'listeners = ["four"]'), 'deny.x.listeners: there is no listener "four"'),
        (("[deny.x]", 'file = "x"', 'listeners = ["three"]'), "deny.x.listeners: this is for listeners with service"),
        (("[deny.x]", 'file = "x"', 'exempt = ["here"]'), 'deny.x.exempt: "here" is not an IP address'),
        (("[relay.x]", "networks = []"), "relay.x.networks: expected at least one address or network"),
        (("[relay.x]", 'networks = ["here"]'), 'relay.x.networks: "here" is not an IP address'),
        (("[relay.x]", 'networks = ["0.0.0.0/0"]'), "relay.x.networks: 0.0.0.0/0 would make this an open relay"),
        (("[relay.x]", 'networks = ["128.0.0.0/7"]'), "relay.x.networks: 128.0.0.0/7 would make this an open relay"),
        (("[relay.x]", 'networks = ["2000::/15"]'), "relay.x.networks: 2000::/15 would make this an open relay"),
        (("[relay.x]", 'networks = ["::1"]', 'listeners = ["two"]'), "relay.x.listeners: this is for listeners with"),
        (("[relay.x]", 'networks = ["::1"]', 'senders = ["@"]'), "relay.x.senders: '@' is no address"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(tmp_path: Path, lines: tuple[str, ...], problem: str) -> None:
    """With its line, and what was expected."""
    found = refused(tmp_path, MINIMAL + LISTENERS + "\n".join(lines))

    assert any(f": {problem}" in each for each in found), found


def test_where_rules_hold(tmp_path: Path) -> None:
    """Without a list, wherever they can: nobody denies by LMTP, and nobody relays where a login is asked for."""
    settings = loaded(
        tmp_path,
        MINIMAL + LISTENERS + '[deny.x]\npeers = ["192.0.2.7"]\n[deny.y]\nfile = "y"\nlisteners = ["two"]\n'
        '[relay.z]\nnetworks = ["10.0.0.0/8", "2001::/16", "unix"]\n',
    )

    assert list(deny_listeners(settings, settings.deny["x"])) == ["one", "two"]
    assert list(deny_listeners(settings, settings.deny["y"])) == ["two"]
    assert list(relay_listeners(settings, settings.relay["z"])) == ["one"]
    assert settings.deny["y"].file == str(tmp_path / "y")
