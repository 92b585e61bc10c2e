"""What became of a message, out of lines of the mail log, in plain words."""

from collections.abc import Iterable, Iterator

from mailsuite.cli.explaining.log_lines import Line


def belongs(line: Line, message: str) -> bool:
    """Say whether *line* tells of the message *message*, or of the session that it came in."""
    identity = line.text("id")
    session = message.rpartition("-")[0]
    return identity == message or line.text("report") == message or (identity == session and identity != "")


def story(lines: Iterable[Line], message: str) -> Iterator[tuple[Line, str]]:
    """Yield each line that tells of *message*, with a sentence; once they are put in order by their times."""
    for line in sorted((line for line in lines if belongs(line, message)), key=lambda line: line.time):
        yield line, sentence(line, message)


def sentence(line: Line, message: str) -> str:
    """Return what *line* says."""
    told = _SENTENCES.get(line.kind)
    return f"{line.kind}: {_rest(line)}" if told is None else told(line, message)


def _login(line: Line, message: str) -> str:
    outcome = f"was refused: {line.text('refused')}" if line.text("refused") else "succeeded"
    return f"In the session that it came in, a login as {line.text('login')} by {line.text('mechanism')} {outcome}."


def _limit(line: Line, message: str) -> str:
    return f"The session that it came in went beyond the limit {line.text('limit')}."


def _smtp(line: Line, message: str) -> str:
    peer = f"{line.text('helo') or 'a client without a name'} ({line.text('peer')}"
    peer += f" by way of {line.text('via')})" if line.text("via") else ")"
    who = f", logged in as {line.text('login')}" if line.text("login") else ""
    tls = f"with {line.text('tls')}" if line.text("tls") else "in the clear"
    parts = [f"It came in from {peer}{who}, {tls}, by the service {line.text('service')}."]
    to = ", ".join(line.texts("to")) or "nobody that we took it for"
    parts.append(f"Its sender was {_path(line.text('from'))}, it was for {to}, and had {line.text('size')} octets.")
    if line.texts("refused"):
        parts.append(f"Refused within it: {', '.join(line.texts('refused'))}.")
    if line.texts("rules"):
        parts.append(f"Rules that decided: {', '.join(f'[{rule}]' for rule in line.texts('rules'))}.")
    if line.texts("reply"):
        parts.append(f"The answer at its end was: {'; '.join(line.texts('reply'))}.")
    if line.text("ended"):
        parts.append(f"It came to no end: {line.text('ended')}.")
    if line.text("trouble"):
        parts.append(f"What went wrong here: {line.text('trouble')}.")
    return " ".join(parts)


def _delivery(line: Line, message: str) -> str:
    to, result = line.text("to"), line.text("result")
    where = f" by {line.text('host')}" if line.text("host") else " into the mailbox" if not line.text("via") else ""
    tls = f" with {line.text('tls')}" if line.text("tls") else ""
    answer = f", which answered: {line.text('reply')}" if line.text("reply") else ""
    if result == "delivered":
        return f"For {to} it was taken{where}{tls}{answer}."
    why = f"{line.text('status')} {line.text('why')}{answer}"
    if result == "failed":
        return f"For {to} it failed for good: {why}."
    what = "it is late, and its sender is told" if result == "late" else "it has to wait"
    return f"For {to} {what}: {why}."


def _dropped(line: Line, message: str) -> str:
    return f"For {line.text('to')} it was dropped, and nobody is told: {line.text('status')} {line.text('why')}."


def _report(line: Line, message: str) -> str:
    about = ", ".join(line.texts("about"))
    if line.text("report") == message:
        action, original = line.text("action"), line.text("id")
        return f"It is a report ({action}) to {line.text('to')} on the message {original}, about {about}."
    return f"{line.text('to')} was told ({line.text('action')}) about {about}, by the message {line.text('report')}."


def _path(address: str) -> str:
    return address or "<> (the null sender)"


def _rest(line: Line) -> str:
    return ", ".join(f"{name} {line.text(name)}" for name in line.fields)


_SENTENCES = {
    "login": _login,
    "limit": _limit,
    "smtp": _smtp,
    "delivery": _delivery,
    "dropped": _dropped,
    "report": _report,
}
