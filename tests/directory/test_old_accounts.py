"""Accounts of other servers, out of their files."""

from mailsuite.directory.old_accounts import BadLine, OldAccount, passwd_file, placed, userdb


def test_passwd_file() -> None:
    """Where the home is, where mail is, and what is kept of the password."""
    found = list(
        passwd_file([
            "# users\n", "\n",
            "alice@example.com:{SSHA}abc:1:1::/home/alice::userdb_mail=maildir:~/M:INBOX=~/M/in nets=10.0.0.0/8\n",
            "bob:$6$x$y:\r\n",
            "eve\n",
            ":x\n",
            "joe:secret::::/home/joe::userdb_home=/h/joe userdb_mail=mdbox:~/mdbox\n",
        ])
    )  # fmt: skip

    assert found[0] == OldAccount(3, "alice@example.com", "{SSHA}abc", "/home/alice", "/home/alice/M")
    assert found[1] == OldAccount(4, "bob", "$6$x$y")
    assert found[2] == OldAccount(5, "eve", "")
    assert isinstance(found[3], BadLine)
    assert isinstance(found[4], BadLine)
    assert "doveadm sync" in found[4].reason


def test_scheme() -> None:
    """It is said of passwords that name none."""
    (plain, crypt) = passwd_file(["a:secret", "b:$1$x"], "PLAIN")

    assert isinstance(plain, OldAccount)
    assert isinstance(crypt, OldAccount)
    assert (plain.stored, crypt.stored) == ("{PLAIN}secret", "$1$x")
    assert "secret" not in repr(plain)


def test_userdb() -> None:
    """The password of the system first, then those of single services."""
    found = list(
        userdb([
            "alice@example.com\tuid=1|gid=1|home=/home/alice|mail=Mail|imappw=B|systempw=A\n",
            "bob\thome=/home/bob|mail=/var/mail/bob|pop3pw=C\n",
            "eve\tuid=1\n",
            "joe home=/x\n",
        ])
    )  # fmt: skip

    assert found[0] == OldAccount(1, "alice@example.com", "A", "/home/alice", "/home/alice/Mail")
    assert found[1] == OldAccount(2, "bob", "C", "/home/bob", "/var/mail/bob")
    assert found[2] == OldAccount(3, "eve", "")
    assert isinstance(found[3], BadLine)


def test_placed() -> None:
    """A pattern says where mail is."""
    assert placed("/v/%d/%n/%u", "a@b.example", "") == "/v/b.example/a/a@b.example"
    assert placed("%h/Maildir", "a", "/home/a") == placed("~/Maildir", "a", "/home/a") == "/home/a/Maildir"
