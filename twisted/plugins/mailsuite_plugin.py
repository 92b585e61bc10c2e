"""Lets ``twistd`` find the mail suite: ``twistd mailsuite --config FILE``."""

from twisted.application.service import ServiceMaker

mailsuite = ServiceMaker(
    "mailsuite",
    "mailsuite.tap",
    "A mail suite: SMTP, submission and POP3 over Maildir.",
    "mailsuite",
)
