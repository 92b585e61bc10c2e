"""Where the parts meet. Each interface is small, documented here, and verified on every class that has it.

A method that may have to wait returns either the value or an awaitable of it (`mailsuite.maybe`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from zope.interface import Attribute, Interface

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.dns import MX, TLSA, Found
from mailsuite.encryption import Encryption
from mailsuite.envelope import Acceptance, Peer
from mailsuite.maybe import Maybe
from mailsuite.meaning import Known, Login, Mailbox, Meaning, Room, Secret
from mailsuite.outcome import Deferred, Outcome
from mailsuite.queued import Held, Job, QueuedMessage, QueuedRecipient, Settled
from mailsuite.route import Endpoint, Route


class IRespondent(Interface):
    """Answers one session's questions: the meeting point of a protocol core and the services."""

    def respond(event: Any) -> Any:
        """Answer *event*, now or by an awaitable; what a telling event returns is ignored."""

    def lost(reason: str, cause: str = "") -> None:
        """The connection is gone, for *reason*; no event follows.

        That is ``closed``, ``lost``, or ``handshake`` where TLS took longer than the listener allows.
        Called once, also after a clean close. *cause* is a text for people where there is more to say.
        """

    def tls_started(encryption: Encryption) -> None:
        """The session is encrypted from now on."""


class IMailboxDirectory(Interface):
    """Mailbox lookup: what an address means here. Raises `CannotJudge` where that cannot be found out now."""

    def find(address: Address) -> Maybe[Meaning]:
        """Say what *address* means here.

        One order for all back ends (``docs/addresses.rst``): a return address of ours, exact mailbox or alias, the
        base of a plus-address, the domain that this one is an alias of, postmaster and abuse (RFC 2142), wildcard,
        catch-all, unknown. Aliases are followed to the end, loops are safe.
        """

    def is_local(domain: str) -> Maybe[bool]:
        """Say whether *domain* (as written) is one of ours."""

    def may_send_as(login: Login, address: Address) -> Maybe[bool]:
        """Say whether *address* belongs to *login*.

        An address with a mailbox of its own, or a plus-address of one, belongs to that mailbox's login alone; another
        belongs to those whom its alias leads to, or to who gets its role mail; unless the rule of its domain says
        otherwise (`mailsuite.directory.rows.SENDERS`).
        """

    def expand(address: Address) -> Maybe[Sequence[Address] | None]:
        """Return the members of the alias *address*; ``None`` where it is not an alias (RFC 5321 §3.5.2)."""

    def relayed_below(domain: str) -> Maybe[Sequence[str]]:
        """Return the domains below *domain*, and not itself, whose mail we pass on."""


class IAuthenticator(Interface):
    """Passwords, and what else proves who somebody is, to accounts. *scope* is ``smtp`` or ``pop3``.

    Raises `CannotJudge` where that cannot be found out now.
    """

    def authenticate(name: str, password: str, scope: str) -> Maybe[Login | None]:
        """Return the login whose password this is, or ``None``.

        *name* is an address. An unknown name takes the time of a wrong password. Hashes are computed off the reactor
        thread.
        """

    def secret(name: str, kind: str, scope: str) -> Maybe[Secret]:
        """Return what is stored for *name* of the *kind* that a mechanism asks for (`mailsuite.sasl.mechanism`).

        Who has none, or may not log in, or does not exist, gets one without an owner: always the same, of the same
        form, in the same time.
        """

    def account(name: str, scope: str) -> Maybe[Login | None]:
        """Return the login *name*, whom others vouch for, where it may log in."""


class ITokens(Interface):
    """Bearer tokens (RFC 6750) to the accounts that they were issued for."""

    def owner(token: str) -> Awaitable[str | None]:
        """Return the address whose *token* this is, ``None`` where it is good for nobody here.

        Raises `CannotJudge` where that cannot be found out now.
        """


class IGuessingLimit(Interface):
    """Slows and cuts the guessing of passwords, counted by address, by network and by account.

    *account* is the name that is claimed, in key form, whether there is such a login or not; empty where none is
    known yet.
    """

    def admit(peer: Peer, account: str) -> Maybe[bool]:
        """Wait as long as *peer* has to wait; ``False`` means: no further try, close the connection."""

    def is_barred(peer: Peer, account: str) -> bool:
        """Say whether it is an operator's word that keeps *peer* from a login as *account*, and no guessing."""

    def failed(peer: Peer, account: str) -> None:
        """Count one wrong password of *peer*, which was admitted for *account*."""

    def succeeded(peer: Peer, account: str, login: str) -> None:
        """*peer*, which was admitted for *account*, has proved that *login* is its own; empty: but may not use it."""


class IConnectionLimit(Interface):
    """Caps on the connections of one listener: in all, by address, by network, and by how fast new ones come.

    Every connection is asked about, so the answers are plain values.
    """

    def admit(peer: Peer) -> str:
        """Count a connection of *peer* and return ``""``; or return the key of the limit that refuses it."""

    def ended(peer: Peer) -> None:
        """A connection of *peer* that was admitted is gone."""


class IRates(Interface):
    """How much mail may come in a time: by login where there is one, else by `Peer.network`. Answers at once."""

    def message(peer: Peer, login: Login | None) -> str:
        """Count a message and return ``""``; or return the key of the limit that it is beyond, uncounted."""

    def recipient(peer: Peer, login: Login | None) -> str:
        """Count a recipient likewise."""


class ICaps(Interface):
    """How much mail a login, and all of a domain, may submit in a time before it is held."""

    def judge(login: Login, recipients: Sequence[Address]) -> str:
        """Count a message that is about to be accepted, and return ``""``; or return, for people, which cap it is
        beyond, uncounted: it is to be held."""


class IPolicyCheck(Interface):
    """One check of the policy. What it needs is at hand, or it bounds its waiting itself; one of a site's own is held
    to a budget by `mailsuite.policy.own_check`. It never blocks."""

    name = Attribute("what it is called to people (str)")

    def judge(case: Case) -> Maybe[Any]:
        """Say by a `mailsuite.smtp.verdict.Verdict` whether the recipient of *case* is accepted, and why."""


class IRelayPolicy(Interface):
    """May this peer send from this sender to this recipient? All checks of a listener, in their order."""

    checks = Attribute("the checks (sequence of IPolicyCheck)")

    def judge(case: Case) -> Maybe[Any]:
        """Return the verdict of the first check that refuses or defers; else that of the last."""


class ISharedState(Interface):
    """Small state that all processes of a site share: counters with a window, what is held now, and exclusive locks.

    Answers come at once. What others have counted in the last few milliseconds may be missing; locks are exact.
    """

    def add(counter: str, amount: int, window: float) -> int:
        """Add *amount* to *counter* and return its sum over the last *window* seconds."""

    def read(counter: str, window: float) -> int:
        """Return *counter*'s sum over the last *window* seconds."""

    def forget(counter: str) -> None:
        """Let *counter* begin again at nothing."""

    def hold(counter: str, amount: int) -> int:
        """Hold *amount* more of *counter* (less, where it is negative); return what all processes hold together.

        What a process holds is given back with its end, however it ends.
        """

    def acquire(lock: str, owner: str) -> bool:
        """Take *lock* for *owner*; ``False`` when another owner has it, or nobody can tell now.

        The same owner may take a lock again. With its process a lock ends.
        """

    def release(lock: str, owner: str) -> None:
        """Give *lock* back, if *owner* has it."""


class IDraft(Interface):
    """A message on its way in: its octets, with CRLF line ends, in memory or on the mail file system."""

    size = Attribute("octets written so far (int)")
    path = Attribute("the path of its file (str); None while it is in memory")

    def octets() -> bytes:
        """Return all that was written, of a message that is in memory."""

    def write(data: bytes) -> None:
        """Append *data*. Raises `OSError` where the disk says no; the draft is then only fit to be discarded."""

    def discard() -> None:
        """Forget the message and free what it took. May be called at any time, twice too."""


class IReceipt(Interface):
    """What `IMailStore.deliver` has done and a barrier has not yet made durable."""

    outcomes = Attribute("one Outcome for each mailbox, in the order given (tuple)")

    def withdraw() -> None:
        """Remove the names that were made, so that no mailbox shows the message."""


class IMailStore(Interface):
    """Mailboxes on disk: messages go in durably and come out through a maildrop."""

    def has_room(size: int) -> bool:
        """Say whether *size* more octets leave the set floor of free space."""

    def draft() -> IDraft:
        """Begin a message."""

    def deliver(draft: IDraft, mailboxes: Sequence[Mailbox], keep: bool = False) -> IReceipt:
        """Give the message a name in each mailbox (written once, then linked) and end the draft.

        With *keep*, and where an outcome is not ``Delivered``, the draft is still whole, and the caller's to discard.
        Nothing is durable before `barrier` has ended. Never raises for a mailbox: see the outcomes.
        """

    def barrier(receipts: Sequence[IReceipt]) -> Maybe[None]:
        """Make all that *receipts* did durable, names too. Raises `OSError` when the disk did not."""

    def create(mailbox: Mailbox) -> None:
        """Make *mailbox*'s folders where they are missing."""

    def open(mailbox: Mailbox, reader: str) -> Maybe["IMaildrop"]:
        """Lock *mailbox* for the login *reader* and take a snapshot of it.

        Raises `MaildropInUse` when a session has it, and `NoSuchFolder`; a folder is not made by opening it.
        """


class IQuotas(Interface):
    """Room in mailboxes: what their quotas, and those of their domains, leave."""

    def reserve(mailboxes: Sequence[Mailbox], octets: int) -> Maybe[Room]:
        """Keep room for a message of so many *octets* (0: nobody has said) in each of *mailboxes* that has it.

        To be released once, when the message lies there or will not come; what takes long may lose it before. It lacks
        where none of them has any. Where that cannot be found out there is room.
        """

    def delivered(mailbox: Mailbox, octets: int) -> None:
        """A message of *octets* has come into *mailbox*."""

    def withdrawn(mailbox: Mailbox, octets: int) -> None:
        """It has been taken back."""


class NoSuchFolder(Exception):
    """The mailbox has no folder of that name."""


class MaildropInUse(Exception):
    """Another session holds this maildrop's lock (RFC 1939 §4; RFC 2449 §8.1.2)."""


class IContent(Interface):
    """One message being read: out of a maildrop, out of the queue, or while it is a draft."""

    def read(size: int) -> Maybe[bytes]:
        """Return the next octets, CRLF line ends throughout, about *size* of them; ``b""`` at the end."""

    def close() -> None:
        """Free what the reading took. Called once, also after the end."""


class IListing(Interface):
    """What is in a maildrop: message numbers count from 0 and never shift."""

    sizes = Attribute("the octets of each message as `IContent.read` gives them (RFC 1939 §11; sequence of int)")
    octets = Attribute("the sum of all sizes (int)")
    unique_ids = Attribute("each message's unique id, 1 to 70 printable octets (RFC 1939 §7, UIDL; sequence of str)")

    def size_rows(start: int, stop: int) -> bytes:
        """Return what LIST sends for the messages from *start* to before *stop*: ``NUMBER SIZE CRLF`` for each."""

    def id_rows(start: int, stop: int) -> bytes:
        """Return what UIDL sends for the messages from *start* to before *stop*: ``NUMBER ID CRLF`` for each."""


class IMaildrop(Interface):
    """A locked snapshot of one mailbox."""

    def listing() -> IListing:
        """Return what is in it."""

    def read(number: int, whole: bool = True) -> Maybe[IContent]:
        """Open one message. Raises `OSError` when its file is gone or cannot be read.

        A message that is not to be read as a *whole* may turn out not to have the octets that it was listed with.
        """

    def at_hand(number: int) -> bytes | None:
        """Return all octets of message *number* if it is small and can be had without waiting; else ``None``."""

    def mark_seen(number: int) -> None:
        """Let other programs see that message *number* was read, if that can be done."""

    def remove(numbers: Sequence[int]) -> Maybe[Sequence[int]]:
        """Remove messages durably; return the numbers that could not be removed."""

    def close() -> None:
        """Give the lock back."""


class IExpiry(Interface):
    """Removes mail that has lain in its mailbox for long enough."""

    def remove_older(mailbox: Mailbox, before: float) -> Awaitable[Sequence[str]]:
        """Remove, durably, what came into *mailbox* before *before* (POSIX seconds); return what it was, by its names.

        Nothing where a session has the mailbox. Raises, or fails with, `OSError`.
        """


class IMailLog(Interface):
    """The mail log: one line for what became of mail (transactions, deliveries, reports), of logins and sessions."""

    def record(kind: str, fields: Mapping[str, object]) -> None:
        """Write one line. Values may hold anything a peer sent: they are escaped here. ``None`` is left out."""


class IIntake(Interface):
    """The one acceptance path: from a finished draft to one durable outcome for each recipient."""

    def accept(acceptance: Acceptance, draft: IDraft) -> Maybe[Sequence[Outcome]]:
        """Store *draft* and return when every outcome is durable; one outcome for each recipient of the envelope.

        ``Delivered`` is a promise: in every mailbox, or in the queue for what is not yet there. Where nothing at all
        could be stored, the outcomes say why and nothing is kept.
        """


class IQueue(Interface):
    """Messages that could not be delivered at once: kept durably, claimed by one process at a time."""

    def accept(
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        draft: IDraft,
        skip: int,
        claim: Callable[[str], bool],
    ) -> Awaitable[Sequence[Job]]:
        """Store a message durably: *draft* without its first *skip* octets. The draft itself stays the caller's.

        What is needed of the draft is taken before this returns; the jobs come when all is durable. *claim* says of a
        destination whether its recipients are claimed at once: they are the jobs. Raises, or fails with, `OSError`.
        """

    def claim(room: int, reports: int, allowances: Mapping[str, int], default: int) -> Awaitable[Sequence[Job]]:
        """Claim what is due, at most *room* jobs, the oldest first, destinations in turn.

        *allowances* says for how many more jobs a destination is good now, *default* for the others; of one that was
        put off before and is tried again, one. Beside these come at most *reports* jobs that are not to be tried: what
        was given up, or whose sender has to be warned, however it was put off.
        """

    def held() -> Awaitable[Held]:
        """Say what an operator holds."""

    def content(job: Job) -> Awaitable["IContent"]:
        """Open the message of *job*. Raises `OSError`, after it was set aside, where it is gone or damaged."""

    def record(settled: Sequence[Settled]) -> Awaitable[None]:
        """Keep what became of claimed recipients; durable when this returns. A message without any is removed."""

    def put_off(destination: str, until: float, outcome: Deferred) -> Awaitable[None]:
        """Nothing for *destination* is due before *until* (POSIX seconds); *outcome* is why."""

    def flush(destination: str) -> Awaitable[int]:
        """Make all that waits for *destination* due now; return how many recipients that is."""


class IScheduled(Interface):
    """What waits in the queue because its sender has named a time for it."""

    def scheduled(holder: str) -> Awaitable[int]:
        """Count the messages that the login *holder* wanted to wait (`Asked.holder`), and whose time has not come."""


class IRunner(Interface):
    """Works through the queue: what has just come in, and what is due again."""

    def admits(destination: str) -> bool:
        """Say whether a new message for *destination* may be claimed at once, to be tried without delay."""

    def begin(jobs: Sequence[Job]) -> None:
        """Try *jobs*, which are claimed."""

    def flush(destination: str) -> Awaitable[int]:
        """Try all that waits for *destination* now; return how many recipients that is."""


class IDeliveryTarget(Interface):
    """Delivers a message to recipients."""

    def deliver(job: Job, content: Callable[[], Awaitable["IContent"]]) -> Awaitable[Sequence[Outcome]]:
        """Try once, at every host of the next hop; one outcome for each recipient of *job*, in order.

        *content* opens the message, as often as it is called. Never raises for what the other end does.
        """


class IReports(Interface):
    """Tells senders what became of their messages (RFC 3461, RFC 3464)."""

    def report(job: Job, outcomes: Sequence[Outcome], content: Callable[[], Awaitable["IContent"]]) -> Awaitable[None]:
        """Send what is wanted of a report on *outcomes*, one for each recipient of *job*; durable when this returns.

        `Failed` gives a failure report, `Deferred` one of delay, `Delivered` one of success, each to those who want
        it. A message with a null reverse-path gives none. What failed and is reported to nobody is logged as dropped.
        Raises `OSError`.
        """


class IRouter(Interface):
    """From a recipient to the way there, by the configuration alone."""

    def route(recipient: Address, reverse_path: Address | None) -> Route:
        """Return the route: by the recipient's domain, else by the sender's, else the default, else by MX."""


class IResolver(Interface):
    """The domain name system. Names are taken in any form; every method raises `NoSuchDomain` or `DnsTrouble`."""

    def mx(domain: str) -> Awaitable[Found[MX]]:
        """Return the MX records, in no order."""

    def addresses(host: str) -> Awaitable[Found[str]]:
        """Return the IPv6 and IPv4 addresses (AAAA, A)."""

    def txt(name: str) -> Awaitable[Found[str]]:
        """Return the TXT records, each with its strings joined."""

    def tlsa(name: str) -> Awaitable[Found[TLSA]]:
        """Return the TLSA records of a name such as ``_25._tcp.mail.example.org``."""

    def ptr(address: str) -> Awaitable[Found[str]]:
        """Return the names of an IP address."""


class IConnector(Interface):
    """Runs a client session core over a connection."""

    def connect(endpoint: Endpoint, core: Any, respondent: IRespondent) -> Awaitable[None]:
        """Return when the connection stands; from then on *respondent* hears of it. Raises `CannotConnect`.

        *core* is a `mailsuite.wire.events.SessionCore`.

        TLS never fails for what the peer's certificate says: `IRespondent.tls_started` is told, and judges.
        """


class IWebClient(Interface):
    """Fetches small documents over HTTPS, and asks questions by forms."""

    def get(url: str, limit: int) -> Awaitable[tuple[str, bytes]]:
        """Return media type (lower case) and body of *url*, which is at most *limit* octets.

        No redirect is followed, the certificate must be good. Raises `CannotConnect`.
        """

    def post(
        url: str, form: Mapping[str, str], limit: int, login: tuple[str, str] | None = None
    ) -> Awaitable[tuple[str, bytes]]:
        """Send *form* to *url* and return the answer as `get` does; *login* is a name and a password for it."""


class IBackupRecipients(Interface):
    """Whom the primary of a domain that we are the backup MX of would accept."""

    def known(address: Address) -> Maybe[Known]:
        """Say whether the primary has *address*.

        ``None`` where nobody can say now, ``"later"`` where there is too much to ask at this time.
        """
