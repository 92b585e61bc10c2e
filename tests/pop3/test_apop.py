"""What chats cannot say of APOP."""

from mailsuite.meaning import Secret
from mailsuite.pop3 import responses
from mailsuite.pop3.capabilities.apop import expected
from mailsuite.pop3.events import Consult
from mailsuite.sasl.claims import Proof, SecretWanted
from tests.pop3.respondent import session


def test_apop_with_a_secret_of_no_known_form() -> None:
    """What nobody can have stored fits nothing; nor does an answer that is no secret."""
    assert expected("<1@a>", "not base64") == b""
    for answer in (Secret(None, "not base64"), None):
        core, _ = session("apop")
        core.next_event()
        core.answer(responses.READY.filled("a", "b"))
        core.receive(b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n")
        assert core.next_event() == Consult("APOP", SecretWanted("mrose", "apop"))
        core.answer(answer)
        if answer is not None:
            assert core.next_event() == Consult("APOP", Proof("mrose", None, False))
            core.answer(None)
        assert core.bytes_to_send().endswith(responses.WRONG_PASSWORD.encode())
