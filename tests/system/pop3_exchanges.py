"""What RFC 1939 and its relatives have a server say, as a table of exchanges that any POP3 server can be held to.

Lines of a script::

    C: RETR 1              the client sends this line and CRLF
    C> raw octets\\r\\n      the client sends exactly these (Python escapes)
    S: +OK*                the server says this line (fnmatch pattern; {s1}, {s2}, {s3}, {all} are sizes)
    M: two                 a multi-line response whose content is this message; ``two 3`` is its beginning
    ROWS +TOP -STLS        a multi-line response has these rows, and not those (fnmatch patterns, _ for a space)
    KEEP ids / SAME ids    the rows of a multi-line response are kept, or are those that were kept
    LOGIN                  USER and PASS, which succeed
    TLS                    a TLS handshake
    AGAIN                  the connection is closed as it stands, and a new one is opened and greeted
    SECOND -ERR*           another connection, whose PASS is answered so
    CLOSED                 the server has closed the connection, and said nothing more
"""

from dataclasses import dataclass

MESSAGES = {
    "one": b"Subject: one\r\n\r\nHello\r\n",
    "two": b"Subject: two\r\nX-Dots: yes\r\n\r\n.\r\n..\r\n.hidden\r\nend.\r\n",
    "three": b"Subject: three\r\n\r\n1\r\n2\r\n\r\n4\r\n5\r\n",
}
PASSWORD = "open  sesame"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange: the section that decides it, what it shows, its script, and why Dovecot does otherwise."""

    section: str
    what: str
    script: str
    dovecot: str = ""


EXCHANGES = (
    Exchange("RFC 1939 §3", "Keywords are taken in any case of letters", """
        LOGIN
        C: nOOp
        S: +OK*
        C: stat
        S: +OK 3 {all}*
        """),
    Exchange("RFC 1939 §3", "An unknown command is an error, and the session goes on", """
        C: FROB
        S: -ERR*
        C: HELO x
        S: -ERR*
        LOGIN
        C: FROB 1
        S: -ERR*
        C: NOOP
        S: +OK*
        """),
    Exchange("RFC 1939 §3", "An empty line is no command", """
        C>  \\r\\n
        S: -ERR*
        C> \\r\\n
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 1939 §3", "Only CRLF ends a command", """
        LOGIN
        C> NOOP\\nSTAT\\r\\n
        S: -ERR*
        C: NOOP
        S: +OK*
        C: STAT
        S: +OK 3 *
        """, "It takes a line that ends in LF alone, so one line can be two commands there."),
    Exchange("RFC 1939 §3", "Lines that begin with a dot are stuffed, and come out as they were", """
        LOGIN
        C: RETR 2
        S: +OK*
        S: Subject: two
        S: X-Dots: yes
        S:
        S: ..
        S: ...
        S: ..hidden
        S: end.
        S: .
        C: RETR 2
        S: +OK*
        M: two
        """),
    Exchange("RFC 1939 §4", "Nothing of the TRANSACTION state is to be had before the login", """
        C: STAT
        S: -ERR*
        C: LIST
        S: -ERR*
        AGAIN
        C: RETR 1
        S: -ERR*
        C: DELE 1
        S: -ERR*
        AGAIN
        C: NOOP
        S: -ERR*
        C: RSET
        S: -ERR*
        AGAIN
        C: TOP 1 0
        S: -ERR*
        C: UIDL
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 1939 §4", "Nobody logs in twice", """
        LOGIN
        C: USER {user}
        S: -ERR*
        C: PASS {password}
        S: -ERR*
        C: AUTH PLAIN {plain}
        S: -ERR*
        C: NOOP
        S: +OK*
        """),
    Exchange("RFC 1939 §4", "A maildrop has one session, and is free once that has ended", """
        LOGIN
        SECOND -ERR*
        C: QUIT
        S: +OK*
        CLOSED
        AGAIN
        LOGIN
        """),
    Exchange("RFC 1939 §4", "Numbers count from 1 in the order of arrival", """
        LOGIN
        C: LIST
        S: +OK*
        S: 1 {s1}
        S: 2 {s2}
        S: 3 {s3}
        S: .
        """),
    Exchange("RFC 1939 §5", "STAT has count and octets, and nothing of messages that are marked", """
        LOGIN
        C: STAT
        S: +OK 3 {all}
        C: DELE 2
        S: +OK*
        C: STAT
        S: +OK 2 {s13}
        """),
    Exchange("RFC 1939 §5", "LIST of one message", """
        LOGIN
        C: LIST 2
        S: +OK 2 {s2}
        C: LIST 4
        S: -ERR*
        C: LIST 0
        S: -ERR*
        C: LIST -1
        S: -ERR*
        C: LIST x
        S: -ERR*
        C: LIST 99999999999999999999
        S: -ERR*
        """),
    Exchange("RFC 1939 §5", "RETR sends a message as it is", """
        LOGIN
        C: RETR 1
        S: +OK*
        M: one
        C: RETR 3
        S: +OK*
        M: three
        """),
    Exchange("RFC 1939 §5", "RETR wants the number of a message that there is", """
        LOGIN
        C: RETR
        S: -ERR*
        C: RETR 0
        S: -ERR*
        C: RETR 4
        S: -ERR*
        C: RETR one
        S: -ERR*
        C: NOOP
        S: +OK*
        """),
    Exchange("RFC 1939 §5", "A marked message is gone for every command, and the numbers stay", """
        LOGIN
        C: DELE 2
        S: +OK*
        C: DELE 2
        S: -ERR*
        C: RETR 2
        S: -ERR*
        C: LIST 2
        S: -ERR*
        C: UIDL 2
        S: -ERR*
        C: TOP 2 0
        S: -ERR*
        C: LIST
        S: +OK*
        S: 1 {s1}
        S: 3 {s3}
        S: .
        C: RETR 3
        S: +OK*
        M: three
        """),
    Exchange("RFC 1939 §5", "DELE wants the number of a message that there is", """
        LOGIN
        C: DELE
        S: -ERR*
        C: DELE 4
        S: -ERR*
        C: DELE x
        S: -ERR*
        C: STAT
        S: +OK 3 {all}
        """),
    Exchange("RFC 1939 §5", "RSET takes all marks away", """
        LOGIN
        C: DELE 1
        S: +OK*
        C: DELE 3
        S: +OK*
        C: RSET
        S: +OK*
        C: STAT
        S: +OK 3 {all}
        C: QUIT
        S: +OK*
        CLOSED
        AGAIN
        LOGIN
        C: STAT
        S: +OK 3 {all}
        """),
    Exchange("RFC 1939 §6", "QUIT removes what is marked, and nothing else", """
        LOGIN
        C: DELE 1
        S: +OK*
        C: DELE 3
        S: +OK*
        C: QUIT
        S: +OK*
        CLOSED
        AGAIN
        LOGIN
        C: STAT
        S: +OK 1 {s2}
        C: RETR 1
        S: +OK*
        M: two
        """),
    Exchange("RFC 1939 §6", "A session that ends without QUIT removes nothing", """
        LOGIN
        C: DELE 1
        S: +OK*
        AGAIN
        LOGIN
        C: STAT
        S: +OK 3 {all}
        """),
    Exchange("RFC 1939 §6", "QUIT before the login only says goodbye", """
        C: QUIT
        S: +OK*
        CLOSED
        """),
    Exchange("RFC 1939 §6", "What follows QUIT is not obeyed", """
        LOGIN
        C> DELE 1\\r\\nQUIT\\r\\nSTAT\\r\\n
        S: +OK*
        S: +OK*
        CLOSED
        """),
    Exchange("RFC 1939 §7", "TOP sends the header section, the blank line and as many lines as were asked for", """
        LOGIN
        C: TOP 3 0
        S: +OK*
        M: three 0
        C: TOP 3 3
        S: +OK*
        M: three 3
        C: TOP 2 1
        S: +OK*
        M: two 1
        """),
    Exchange("RFC 1939 §7", "TOP of more lines than there are sends the whole message", """
        LOGIN
        C: TOP 3 5
        S: +OK*
        M: three
        C: TOP 3 99999
        S: +OK*
        M: three
        """),
    Exchange("RFC 1939 §7", "TOP wants two numbers", """
        LOGIN
        C: TOP
        S: -ERR*
        C: TOP 1
        S: -ERR*
        C: TOP 1 -1
        S: -ERR*
        C: TOP 1 x
        S: -ERR*
        C: TOP 4 0
        S: -ERR*
        C: NOOP
        S: +OK*
        """),
    Exchange("RFC 1939 §7", "UIDL has an id for each message that is not marked, and each keeps it", """
        LOGIN
        C: UIDL
        S: +OK*
        KEEP ids
        C: RETR 1
        S: +OK*
        M: one
        C: QUIT
        S: +OK*
        CLOSED
        AGAIN
        LOGIN
        C: UIDL
        S: +OK*
        SAME ids
        C: DELE 1
        S: +OK*
        C: UIDL
        S: +OK*
        S: 2 ?*
        S: 3 ?*
        S: .
        """),
    Exchange("RFC 1939 §7", "UIDL of one message", """
        LOGIN
        C: UIDL 3
        S: +OK 3 ?*
        C: UIDL 4
        S: -ERR*
        C: UIDL x
        S: -ERR*
        """),
    Exchange("RFC 1939 §7", "A password keeps its spaces", """
        C: USER {user}
        S: +OK*
        C: PASS open sesame
        S: -ERR*
        C: USER {user}
        S: +OK*
        C: PASS {password}
        S: +OK*
        """),
    Exchange("RFC 1939 §7", "PASS follows USER", """
        C: PASS {password}
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 1939 §7", "USER and PASS want something", """
        C: USER
        S: -ERR*
        C: USER {user}
        S: +OK*
        C: PASS
        S: -ERR*
        """, "It takes a USER without a name."),
    Exchange("RFC 1939 §7", "APOP without a timestamp in the greeting is no command", """
        C: APOP {user} c4c9334bac560ecc979e58001b3e22fb
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 1939 §11", "The octets of LIST are those that RETR sends, dots of transparency not counted", """
        LOGIN
        C: LIST 2
        S: +OK 2 {s2}
        C: RETR 2
        S: +OK*
        M: two
        """),
    Exchange("RFC 1939 §13", "USER says nothing of whom there is", """
        C: USER nobody@example.invalid
        S: +OK*
        C: PASS x
        S: -ERR*
        """),
    Exchange("RFC 2449 §3", "A command has as many parameters as it takes, no more", """
        LOGIN
        C: STAT 1
        S: -ERR*
        C: NOOP x
        S: -ERR*
        C: LIST 1 2
        S: -ERR*
        C: RETR 1 2
        S: -ERR*
        C: DELE 1 2
        S: -ERR*
        C: STAT
        S: +OK 3 {all}
        """, "It reads the parameters that a command takes and leaves others alone."),
    Exchange("RFC 2449 §4", "A command has up to 255 octets", """
        C: USER {long}
        S: +OK*
        C: PASS x
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 2449 §4", "A command of 256 octets is refused, and the session goes on", """
        C: USER {longer}
        S: -ERR*
        LOGIN
        """, "It takes longer commands."),
    Exchange("RFC 2449 §5", "CAPA before the login and after it", """
        C: CAPA
        S: +OK*
        ROWS +TOP +UIDL +USER +RESP-CODES +PIPELINING +SASL_*
        LOGIN
        C: CAPA
        S: +OK*
        ROWS +TOP +UIDL +USER +RESP-CODES +PIPELINING +SASL_*
        """, "After the login it leaves out USER (§5: what is announced before is announced after)."),
    Exchange("RFC 2449 §6.7", "EXPIRE is announced, NEVER where all mail is kept", """
        C: CAPA
        S: +OK*
        ROWS +EXPIRE_NEVER
        LOGIN
        C: CAPA
        S: +OK*
        ROWS +EXPIRE_NEVER
        """, "It has no EXPIRE."),
    Exchange("RFC 2449 §6.9", "IMPLEMENTATION is announced", """
        LOGIN
        C: CAPA
        S: +OK*
        ROWS +IMPLEMENTATION_?*
        """, "It has no IMPLEMENTATION."),
    Exchange("RFC 2449 §6.6", "Commands may come in one segment, and are answered in their order", """
        C> USER {user}\\r\\nPASS {password}\\r\\nSTAT\\r\\nLIST 2\\r\\nRETR 1\\r\\nDELE 1\\r\\nSTAT\\r\\n
        S: +OK*
        S: +OK*
        S: +OK 3 {all}
        S: +OK 2 {s2}
        S: +OK*
        M: one
        S: +OK*
        S: +OK 2 {s23}
        """),
    Exchange("RFC 2449 §8.1.2", "A maildrop that is in use is an error with its own code", """
        LOGIN
        SECOND -ERR [[]IN-USE]*
        """),
    Exchange("RFC 3206 §5", "Wrong credentials are an error with its own code, after USER too if it is theirs", """
        C: CAPA
        S: +OK*
        ROWS +AUTH-RESP-CODE
        C: USER {user}
        S: +OK*
        C: PASS wrong
        S: -ERR [[]AUTH]*
        C: USER nobody@example.invalid
        S: +OK*
        C: PASS wrong
        S: -ERR [[]AUTH]*
        C: AUTH PLAIN AGFsaWNlAHdyb25n
        S: -ERR [[]AUTH]*
        """),
    Exchange("RFC 2595 §4", "STLS is offered while it may be used, and begins TLS", """
        C: CAPA
        S: +OK*
        ROWS +STLS
        C: STLS
        S: +OK*
        TLS
        C: CAPA
        S: +OK*
        ROWS -STLS +SASL_*
        C: STLS
        S: -ERR*
        LOGIN
        C: RETR 1
        S: +OK*
        M: one
        """),
    Exchange("RFC 2595 §4", "STLS comes before the login", """
        LOGIN
        C: STLS
        S: -ERR*
        C: NOOP
        S: +OK*
        """),
    Exchange("RFC 2595 §4", "Nothing that came before TLS is known after it", """
        C: USER {user}
        S: +OK*
        C: STLS
        S: +OK*
        TLS
        C: PASS {password}
        S: -ERR*
        LOGIN
        """, "It remembers the name that was said in the clear."),
    Exchange("RFC 2595 §4", "What comes behind STLS in the clear is never obeyed", """
        C> STLS\\r\\nFROB\\r\\nUSER mallory\\r\\n
        S: +OK*
        TLS
        C: CAPA
        S: +OK*
        ROWS +TOP
        """, "It takes that for the handshake, which fails: it obeys nothing of it either."),
    Exchange("RFC 5034 §4", "AUTH with an initial response", """
        C: AUTH PLAIN {plain}
        S: +OK*
        C: STAT
        S: +OK 3 {all}
        """),
    Exchange("RFC 5034 §4", "AUTH with an empty challenge", """
        C: auth plain
        S: +?
        C: {plain}
        S: +OK*
        """),
    Exchange("RFC 5034 §4", "AUTH that the client gives up", """
        C: AUTH PLAIN
        S: +*
        C: *
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 5034 §4", "AUTH with what is no base64", """
        C: AUTH PLAIN ?
        S: -ERR*
        C: AUTH PLAIN
        S: +*
        C: not base64
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 5034 §4", "AUTH by a mechanism that there is not", """
        C: AUTH FROB
        S: -ERR*
        LOGIN
        """),
    Exchange("RFC 5034 §4", "AUTH without a mechanism is an error", """
        C: AUTH
        S: -ERR*
        LOGIN
        """, "It lists its mechanisms, as some did before CAPA."),
    Exchange("RFC 6856 §2", "UTF8 is offered, and taken before the login alone", """
        C: CAPA
        S: +OK*
        ROWS +UTF8_USER
        C: UTF8
        S: +OK*
        LOGIN
        C: UTF8
        S: -ERR*
        """, "It has no UTF8."),
    Exchange("RFC 6856 §3", "LANG lists languages and changes to one", """
        C: CAPA
        S: +OK*
        ROWS +LANG
        C: LANG
        S: +OK*
        ROWS +de_* +en_* +es_* +fr_*
        C: LANG xx
        S: -ERR*
        C: LANG de
        S: +OK de *
        LOGIN
        C: LANG *
        S: +OK en *
        """, "It has no LANG."),
)
