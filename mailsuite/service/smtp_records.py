"""What the mail log has of SMTP sessions: each transaction, each try to log in, each limit that ended something."""

from typing import TYPE_CHECKING

from mailsuite.service.transaction import Transaction
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.service.reception import Reception


def record_transaction(
    session: "Reception", transaction: Transaction, *answers: Reply, ended: str | None = None
) -> None:
    """Write the line of *transaction*. *answers* is what its end was answered with, *ended* why it came to none."""
    envelope = transaction.envelope
    said = [f"{reply.code} {reply.status} {reply.lines[-1]}" for reply in answers]
    session.site.log.record(
        "smtp",
        {
            "service": session.role.name,
            "id": transaction.id,
            "peer": session.peer.host,
            "via": session.peer.via or None,
            "helo": session.helo,
            "tls": session.tls or None,
            "login": session.login.name if session.login is not None else None,
            "from": "" if envelope.reverse_path is None else str(envelope.reverse_path),
            "to": [str(recipient.address) for recipient in envelope.recipients],
            "refused": transaction.refused or None,
            "rules": sorted(transaction.rules) or None,
            "priority": envelope.parameters.get("MT-PRIORITY"),
            "size": transaction.size,
            "reply": said[0] if len(said) == 1 else said or None,
            "trouble": transaction.trouble,
            "ended": ended,
            "seconds": round(session.site.seconds() - transaction.began, 3),
        },
    )


def record_login(session: "Reception", name: str, mechanism: str, refused: str | None) -> None:
    """Write a line about a try to log in as *name*."""
    session.site.log.record(
        "login",
        {
            "service": session.role.name,
            "id": session.id,
            "peer": session.peer.host,
            "via": session.peer.via or None,
            "tls": session.tls or None,
            "login": name,
            "mechanism": mechanism,
            "refused": refused,
        },
    )


def record_limit(session: "Reception", limit: str) -> None:
    """Write a line about a peer that went beyond *limit*."""
    session.site.log.record(
        "limit",
        {
            "service": session.role.name,
            "id": session.id,
            "peer": session.peer.host,
            "via": session.peer.via or None,
            "helo": session.helo or None,
            "tls": session.tls or None,
            "login": session.login.name if session.login is not None else None,
            "limit": limit,
        },
    )
