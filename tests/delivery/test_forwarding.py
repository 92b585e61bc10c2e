"""From whom forwarded mail goes on: what a host that checks SPF sees, and what must stay as it came."""

from dataclasses import replace

import pytest

from mailsuite.address import Address
from mailsuite.srs import Rewriting
from tests.delivery.world import MX1, ROUTE, World
from tests.doubles_delivery import Real, Scripted, job, recipient

OURS = Rewriting("mail.example.org", 21, lambda: [b"secret"])
# `World.now` is on this day.
TODAY = 11
FORWARDED = recipient("bob@b.example", added=b"Delivered-To: list@example.org\r\n")
STRANGER = Address("eve", "c.example")


def sender_of(world: World, far: Real, reverse_path: Address | None) -> str:
    """Forward a message and return from whom it went on."""
    world.deliver(job(FORWARDED, reverse_path=reverse_path))
    return far.messages.pop()[0]


def test_a_stranger_goes_on_as_an_address_of_ours() -> None:
    """It leads back to him. Mail of the same message that nobody has forwarded keeps its sender."""
    far = Real()
    world = World({MX1: far}, rewriting=OURS)

    outcomes = world.deliver(job("d@b.example", FORWARDED, reverse_path=STRANGER))

    assert len(outcomes) == 2
    senders = {to[0]: sender for sender, to, _ in far.messages}
    assert senders["d@b.example"] == "eve@c.example"
    local, _, domain = senders["bob@b.example"].partition("@")
    assert domain == "mail.example.org"
    assert OURS.restore(Address(local, domain), TODAY) == STRANGER


@pytest.mark.parametrize(
    "reverse_path",
    [
        None,
        Address("alice", "example.org"),
        OURS.rewrite(STRANGER, TODAY),
        Address("x" * 60, "c.example"),
    ],
    ids=["null", "ours", "rewritten before", "too long"],
)
def test_what_stays_as_it_came(reverse_path: Address | None) -> None:
    """Nothing returns to the null path, we may send for ours, and what does not fit is better than nothing."""
    far = Real()

    assert sender_of(World({MX1: far}, rewriting=OURS), far, reverse_path) == str(reverse_path or "<>")


def test_a_mail_store_hears_who_it_was() -> None:
    """It writes the Return-Path, and checks no SPF."""
    far = Scripted()
    world = World({"192.0.2.7": far}, replace(ROUTE, host="192.0.2.7", lmtp=True), rewriting=OURS)

    world.deliver(job(FORWARDED, reverse_path=STRANGER))

    assert any(line.startswith("MAIL FROM:<eve@c.example>") for line in far.commands)


def test_switched_off() -> None:
    """All goes on as it came."""
    far = Real()

    assert sender_of(World({MX1: far}), far, STRANGER) == "eve@c.example"
