"""What an address means, who is let in, and where mail goes, in words."""

from collections.abc import Iterable, Iterator, Sequence

from mailsuite.address import Address
from mailsuite.cli.explaining.log_lines import Line
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.envelope import Peer
from mailsuite.interfaces import IRouter
from mailsuite.meaning import (
    Broken,
    Cap,
    Foreign,
    Login,
    Mailboxes,
    Meaning,
    Refused,
    Relayed,
    Suspended,
    Unknown,
)

_MEANINGS: dict[type[Meaning], str] = {
    Unknown: "its domain is ours, and there is no such address in it",
    Suspended: "the address is ours, and switched off",
    Foreign: "its domain is none that we take mail for",
    Relayed: "its domain is one whose mail we pass on",
}


def found(meaning: Meaning, way: Sequence[Address], address: Address) -> str:
    """Return what *address* means here, and by *way* of which users and aliases it does, where others than itself."""
    names = [str(each) for each in way if each.key != address.key]
    return f"{means(meaning)}, by way of {', '.join(names)}" if names else means(meaning)


def means(meaning: Meaning) -> str:
    """Return what an address means here."""
    match meaning:
        case Mailboxes(mailboxes, onward):
            boxes = ", ".join(box.path + (f" (folder {box.folder})" if box.folder else "") for box in mailboxes)
            places = [f"the mailbox {boxes}"] if len(mailboxes) == 1 else [f"the mailboxes {boxes}"] if boxes else []
            return f"it leads to {' and '.join([*places, *map(str, onward)])}"
        case Refused(code, status, text):
            return f"the address is ours, and answered by a reply of its own: {code} {status} {text}"
        case Broken(reason, "far"):
            return f"the address is ours, and its aliases lead too far: {reason}"
        case Broken(reason):
            return f"the address is ours, and its aliases lead nowhere: {reason}"
        case Relayed(backup=True):
            return "its domain is one that we are the backup MX of"
    return _MEANINGS[type(meaning)]


def connections(settings: Settings, exempt: bool) -> str:
    """Return how many connections there may be."""
    limits = settings.limits
    least = f"at most {counted(limits.connections, 'connection')} of a listener (connections)"
    if exempt:
        return f"{least}; the peer is exempt from the others"
    by_address = f"{_number(limits.address_connections, 'connection')} of one address (address_connections)"
    by_network = f"{_number(limits.network_connections, 'connection')} of one network (network_connections)"
    new = f"{_number(limits.connection_rate, 'new one')} a minute (connection_rate)"
    return f"{least}, {by_address}, {by_network}, {new}"


def rates(settings: Settings, exempt: bool, login: Login | None) -> str:
    """Return how much mail may come."""
    limits = settings.limits
    if login is not None:
        messages = f"{_number(limits.login_messages, 'message')} (login_messages)"
        recipients = f"{_number(limits.login_recipients, 'recipient')} (login_recipients)"
        return f"{login.name} may send {messages} to {recipients} an hour"
    if exempt:
        return "the peer is exempt from message_rate and recipient_rate"
    messages = f"{_number(limits.message_rate, 'message')} (message_rate)"
    recipients = f"{_number(limits.recipient_rate, 'recipient')} (recipient_rate)"
    return f"one address may send {messages} to {recipients} a minute"


def capped(caps: Sequence[Cap]) -> str:
    """Return beyond which *caps* mail is held; empty where there are none."""
    told = [
        f"{counted(cap.most, 'message' if cap.counted == 'messages' else 'new recipient')} in {cap.seconds // 3600} h"
        + (f" of all of {cap.domain}" if cap.domain else "")
        for cap in caps
    ]
    return f"what goes beyond {', '.join(told)} is taken and held" if told else ""


def reached(lines: Iterable[Line], peer: Peer, login: Login | None, since: str) -> str:
    """Return what the log says of limits that *peer* or *login* went beyond after *since*; empty for nothing."""
    found = [
        line
        for line in lines
        if line.kind == "limit" and line.time >= since
        and (line.text("login") == login.name if login is not None else line.text("peer") == peer.host)
    ]  # fmt: skip
    if not found:
        return ""
    whose = peer.host if login is None else login.name
    last = found[-1].text("limit")
    return f"{whose} went beyond limits within the last hour, {counted(len(found), 'time')}: {last} was the last"


def ways(onward: tuple[Address, ...], sender: Address | None, router: IRouter) -> Iterator[str]:
    """Yield how mail goes to each address elsewhere."""
    for address in onward:
        route = router.route(address, sender)
        # A route is named by its destination where a host is.
        by = f" by [routes.{route.destination.removeprefix('route:')}]" if route.host else ""
        where = f"{route.host}, port {route.port}" if route.host else f"the MX records of {route.domain}"
        yield f"{address} goes to {where}{by}, with TLS \"{route.tls}\""


def _number(most: int, what: str) -> str:
    return counted(most, what) if most else f"any number of {what}s"
