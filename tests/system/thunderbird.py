"""Thunderbird without a window, set up and driven from within by scripts."""

import base64
import json
import os
import re
import signal
import ssl
import subprocess
from pathlib import Path
from types import TracebackType

from tests.system.fetchers import Door
from tests.system.marionette import Marionette
from tests.system.senders import Way
from tests.system.site import HOSTNAME, Site, secret, until

# As Thunderbird numbers how TLS begins, and a password that is sent as it is, inside TLS.
_STARTTLS, _IMPLICIT = 2, 3
_PASSWORD = 3

_GENERAL: dict[str, object] = {
    "mail.accountmanager.accounts": "account1,account2",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.accountmanager.localfoldersserver": "server2",
    "mail.account.account1.server": "server1",
    "mail.account.account1.identities": "id1",
    "mail.account.account2.server": "server2",
    "mail.smtpservers": "smtp1",
    "mail.smtp.defaultserver": "smtp1",
    # Any free port; it is written into a file of the profile.
    "marionette.port": 0,
    # Our host name is loopback here.
    "network.dns.localDomains": HOSTNAME,
    # Nothing that asks its user at the first start, nor anybody on the network.
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "extensions.update.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
}
# What it writes before a message.
_ADDED = re.compile(rb"\A(?:X-(?:Account-Key|UIDL|Mozilla-\w+):[^\r\n]*\r\n)*")
# What a user does who says that the certificate is right, and lets the passwords be kept.
_TRUST = """
    const [host, ports, certificate, user, password] = arguments;
    const store = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
    const known = store.constructX509FromBase64(certificate);
    const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
    for (const port of ports) {
      overrides.rememberValidityOverride(host, port, {}, known, false);
    }
    for (const scheme of ["mailbox", "smtp"]) {
      const origin = `${scheme}://${host}`;
      const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
      login.init(origin, null, origin, user, password, "", "");
      await Services.logins.addLoginAsync(login);
    }
"""
_INBOX = """
    const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
    const server = MailServices.accounts.getAccount("account1").incomingServer;
    const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
"""
_RECEIVE = """
    server.setBoolValue("leave_on_server", arguments[0]);
    return new Promise(good => {
      const listener = { OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { good(status); } };
      MailServices.pop3.GetNewMail(null, listener, inbox, server);
    });
"""
_MESSAGES = """
    return Array.from(inbox.messages, header => {
      const stream = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream);
      stream.setInputStream(inbox.getMsgInputStream(header));
      let whole = "";
      for (let count = stream.available(); count > 0; count = stream.available()) {
        whole += stream.readBytes(count);
      }
      return btoa(whole);
    });
"""
_SEND = """
    const [to, subject, text] = arguments;
    const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
    const identity = MailServices.accounts.getIdentity("id1");
    const make = name => Cc[`@mozilla.org/messengercompose/${name};1`];
    const fields = make("composefields").createInstance(Ci.nsIMsgCompFields);
    Object.assign(fields, { from: identity.email, to, subject });
    return new Promise((good, bad) => {
      const listener = {
        QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener"]),
        onStartSending() {}, onProgress() {}, onStatus() {}, onGetDraftFolderURI() {},
        onSendNotPerformed() { bad("nothing was sent"); },
        onTransportSecurityError(id, status) { bad(`TLS: ${status}`); },
        onStopSending(id, status) { good(status); },
      };
      make("send").createInstance(Ci.nsIMsgSend).createAndSendMessage(
        null, identity, "account1", fields, false, false, Ci.nsIMsgCompDeliverMode.Now, null,
        "text/plain", text, null, null, listener, "", "", Ci.nsIMsgCompType.New);
    });
"""


class Thunderbird:
    """The program of one *user*, its profile in *home*; it fetches by *door* and sends by *way*."""

    def __init__(self, site: Site, user: str, home: Path, door: Door, way: Way) -> None:
        self._profile = home / "profile"
        self._profile.mkdir()
        preferences = {**_GENERAL, **_account(site, user, door, way)}
        lines = (f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in preferences.items())
        (self._profile / "user.js").write_text("".join(lines))
        options = ["--headless", "--marionette", "--remote-allow-system-access", "--no-remote"]
        self._process = subprocess.Popen(
            ["thunderbird", *options, "--profile", str(self._profile)],
            env={**os.environ, "HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._scripts = Marionette(self._port())
            der = base64.b64encode(ssl.PEM_cert_to_DER_cert(site.certificate.read_text())).decode()
            ports = [site.ports[door], site.ports[way]]
            self._scripts.run(_TRUST, HOSTNAME, ports, der, user, secret(user))
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> "Thunderbird":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._scripts.quit()
                self._process.wait(30)
            self._scripts.close()
        finally:
            self._discard()

    def receive(self, keep: bool = True) -> None:
        """Fetch what is new; with *keep* it stays on the server too."""
        status = self._scripts.run(_INBOX + _RECEIVE, keep)
        assert status == 0, hex(status)

    def send(self, to: str, subject: str, text: str) -> None:
        """Send a message of plain text."""
        status = self._scripts.run(_SEND, to, subject, text)
        assert status == 0, hex(status)

    def inbox(self) -> list[bytes]:
        """Return the messages of its inbox, with the line ends of the wire and without the fields it adds."""
        encoded: list[str] = self._scripts.run(_INBOX + _MESSAGES)
        wholes = [base64.b64decode(each).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for each in encoded]
        return [_ADDED.sub(b"", whole) for whole in wholes]

    def _port(self) -> int:
        file = self._profile / "MarionetteActivePort"
        return int(until(lambda: file.exists() and file.read_text(), 60, "Thunderbird to start"))

    def _discard(self) -> None:
        """End the program and those it has started, if it has not ended."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)


def _account(site: Site, user: str, door: Door, way: Way) -> dict[str, object]:
    """Return an account, its outgoing server, and the local folders that Thunderbird always has."""
    incoming: dict[str, object] = {
        "type": "pop3",
        "name": user,
        "hostname": HOSTNAME,
        "port": site.ports[door],
        "userName": user,
        "socketType": _IMPLICIT if door == "pop3s" else _STARTTLS,
        "authMethod": _PASSWORD,
        "check_new_mail": False,
        "login_at_startup": False,
        "download_on_biff": False,
    }
    outgoing: dict[str, object] = {
        "hostname": HOSTNAME,
        "port": site.ports[way],
        "username": user,
        "try_ssl": _IMPLICIT if way == "submissions" else _STARTTLS,
        "authMethod": _PASSWORD,
    }
    local = {"type": "none", "name": "Local Folders", "hostname": "Local Folders", "userName": "nobody"}
    identity = {"useremail": user, "smtpServer": "smtp1", "compose_html": False, "fcc": False, "valid": True}
    return {
        **{f"mail.server.server1.{key}": value for key, value in incoming.items()},
        **{f"mail.server.server2.{key}": value for key, value in local.items()},
        **{f"mail.smtpserver.smtp1.{key}": value for key, value in outgoing.items()},
        **{f"mail.identity.id1.{key}": value for key, value in identity.items()},
    }
