"""One RCPT through all that judges it: the session that would answer it, and why it answers so."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.cli.explaining import words
from mailsuite.cli.explaining.log_lines import recent
from mailsuite.cli.explaining.reading import Reading
from mailsuite.envelope import Peer, recipient_of
from mailsuite.incoming import rules
from mailsuite.maybe import value_of
from mailsuite.meaning import CannotJudge, Login
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.server import ServerSession

Said: TypeAlias = Literal["ok", "note", "refused", "deferred"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at. A ``note`` decides nothing by itself."""

    step: str
    said: Said
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """Who wants to send from whom to whom: *sender* and *recipient* as they would stand between angle brackets."""

    listener: str
    peer: Peer
    helo: str
    login: str
    sender: str
    recipient: str


@dataclass(slots=True)
class Explanation:
    """The steps, and the *reply* that ends them; empty where the connection is closed without a word."""

    steps: list[Step] = field(default_factory=list)
    reply: str = ""

    def add(self, step: str, said: Said, why: str) -> None:
        """Add a step."""
        self.steps.append(Step(step, said, why))

    def end(self, step: str, why: str, reply: str) -> "Explanation":
        """Add the step that decides, by *reply*."""
        self.add(step, "deferred" if reply.startswith("4") else "refused", why)
        self.reply = reply
        return self


class Walk:
    """Goes through *reading* with *question*."""

    def __init__(self, reading: Reading, question: Question) -> None:
        self._reading = reading
        self._question = question
        self._settings = reading.settings.listen[question.listener]
        self._found = Explanation()
        self._asked: list[Any] = []
        self._trouble = ""

    async def explain(self) -> Explanation:
        """Return all that there is to say. Call it once."""
        login = self._let_in() or await self._log_in()
        if isinstance(login, Explanation):
            return login
        core, reception = self._session(login)
        for line in self._opening():
            reply = await self._say(core, reception, line)
            verb = line.partition(" ")[0]
            if reply[0] in "45":
                return self._found.end(verb, self._trouble or _text_of(reply), reply)
            self._found.add(verb, "ok", "the name is taken" if verb.endswith("HLO") else _text_of(reply))
        reply = await self._say(core, reception, f"RCPT TO:<{self._question.recipient}>")
        reception.lost("closed")
        event = next((each for each in self._asked if isinstance(each, events.RcptTo)), None)
        if event is None:
            return self._found.end("RCPT", _text_of(reply), reply)
        try:
            return await self._judge(login, event, reply)
        except CannotJudge as error:
            return self._found.end("directory", str(error), reply)

    def _let_in(self) -> Explanation | None:
        question, reading, found = self._question, self._reading, self._found
        peer, name = question.peer, question.listener
        if not rules(reading.settings, self._settings).admits(peer):
            return found.end("listener", f"peers of [listen.{name}] does not list {peer.host}", "")
        found.add("listener", "ok", f"[listen.{name}], service {self._settings.service}, lets {peer.host} connect")
        if reading.bans.keeps_out(peer, self._settings.service == "submission"):
            return found.end("bans", f"{peer.host} is banned: see mailsuite bans list", _text(replies.BANNED))
        found.add("bans", "ok", f"no ban keeps {peer.host} out")
        found.add("connections", "note", words.connections(reading.settings, reading.exempt(peer)))
        return None

    async def _log_in(self) -> Login | Explanation | None:
        name, reading, found = self._question.login, self._reading, self._found
        if not name:
            found.add("login", "ok", "nobody has logged in")
            return None
        if self._settings.authentication == "off":
            return found.end("login", "nobody logs in on this listener", _text(replies.NOT_IMPLEMENTED))
        peer = self._question.peer
        if reading.bans.forbids(peer, name, reading.known.has(name, peer.network)):
            why = f"{name} or {peer.host} is banned from logging in: see mailsuite bans list"
            barred = reading.bans.bars(peer, name)
            return found.end("login", why, _text(replies.BARRED_LOGIN if barred else replies.TOO_MANY_LOGINS))
        login = await value_of(reading.logins.vouched(name, "smtp"))
        if login is None:
            return found.end("login", f"there is no login {name} that may send", _text(replies.WRONG_CREDENTIALS))
        if login.must_change:
            return found.end("login", f"the password of {name} has to be changed", _text(replies.MUST_CHANGE))
        found.add("login", "ok", f"{login.name} has logged in")
        return login

    def _session(self, login: Login | None) -> tuple[ServerSession, Reception]:
        name = self._question.listener
        core = self._reading.core(name, login is not None or self._settings.tls == "implicit")
        core.authenticated = login is not None
        reception = Reception(self._reading.site, self._reading.roles()[name], self._question.peer, "explain")
        reception.login = login
        return core, reception

    def _opening(self) -> list[str]:
        question = self._question
        verb = "LHLO" if self._settings.service == "lmtp" else "EHLO"
        letters = "" if (question.sender + question.recipient).isascii() else " SMTPUTF8"
        return [f"{verb} {question.helo}", f"MAIL FROM:<{question.sender}>{letters}"]

    async def _say(self, core: ServerSession, reception: Reception, line: str) -> str:
        """Send *line* to the session, and return the last line of its answer."""
        await self._drive(core, reception)
        core.bytes_to_send()
        core.receive(line.encode() + b"\r\n")
        await self._drive(core, reception)
        return core.bytes_to_send().decode().rstrip("\r\n").rpartition("\r\n")[2]

    async def _drive(self, core: ServerSession, reception: Reception) -> None:
        while (event := core.next_event()) is not None:
            self._asked.append(event)
            try:
                answer = await value_of(reception.respond(event))
            except CannotJudge as error:
                self._trouble = str(error)
                core.fail()
            else:
                if event.asks:
                    core.answer(answer)

    async def _judge(self, login: Login | None, event: events.RcptTo, reply: str) -> Explanation:
        question, reading, found = self._question, self._reading, self._found
        address = event.forward_path
        sender: Address | None = next(each.reverse_path for each in self._asked if isinstance(each, events.MailFrom))
        if str(address) != question.recipient:
            found.add("address", "note", f"what is looked up is {address}")
        meaning = await value_of(reading.directory.find(address))
        found.add("directory", "note", words.found(meaning, await value_of(reading.directory.way(address)), address))
        case = Case(question.peer, question.helo, login, sender, address, meaning)
        # Its counters are new: the session has counted in others.
        for check in reading.roles()[question.listener].relay.checks:
            verdict = await value_of(check.judge(case))
            if verdict.refusal is not None:
                return found.end(check.name, verdict.reason, reply)
            found.add(check.name, "ok", verdict.reason)
        recipient = recipient_of(address, meaning)
        if recipient is None:
            return found.end("recipient", words.means(meaning), reply)
        if recipient.mailboxes:
            # (The session has reserved room, and given it back.)
            if reply[0] != "2":
                return found.end("quota", f"{_text_of(reply)}: see mailsuite quota show", reply)
            found.add("quota", "ok", "there is room in the mailbox, or in one of them")
        found.add("limits", "note", words.rates(reading.settings, reading.exempt(question.peer), login))
        if login is not None and (caps := words.capped(reading.caps.of(login))):
            found.add("caps", "note", caps)
        self._add_recent(login)
        for box in recipient.mailboxes:
            found.add("routing", "ok", f"it is put into {box.path} of {reading.settings.store.path}")
        for way in words.ways(recipient.onward, sender, reading.router):
            found.add("routing", "ok", way)
        found.reply = reply
        return found

    def _add_recent(self, login: Login | None) -> None:
        since = datetime.fromtimestamp(time.time() - 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        lines = recent(self._reading.settings.log.path)
        told = words.reached(lines, self._question.peer, login, since)
        if told:
            self._found.add("limits", "note", told)


def _text(reply: Reply) -> str:
    return reply.octets.decode().rstrip("\r\n")


def _text_of(reply: str) -> str:
    """Return *reply* without its codes; the answer to EHLO has one alone."""
    return reply.split(" ", 2)[-1]
