"""What an HTTP client is told whose request is not even looked at: problem details (RFC 9457), and the end."""

import json
from http import HTTPStatus


def last_words(status: HTTPStatus, detail: str) -> bytes:
    """Return an answer that the connection is closed after."""
    told = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    text = json.dumps(told).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + text
