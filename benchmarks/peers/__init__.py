"""The servers that are measured, a file each."""

from benchmarks.peers.aiosmtpd import Aiosmtpd
from benchmarks.peers.dovecot import Dovecot
from benchmarks.peers.exim import Exim
from benchmarks.peers.opensmtpd import OpenSMTPD
from benchmarks.peers.peer import Peer
from benchmarks.peers.postfix import Postfix
from benchmarks.peers.suite import Suite, SuiteByTwo
from benchmarks.peers.twisted_mail import TwistedMail

# The suite comes first: what the others are compared with.
ALL: tuple[type[Peer], ...] = (Suite, SuiteByTwo, Postfix, Exim, OpenSMTPD, Dovecot, Aiosmtpd, TwistedMail)
