"""The services: what answers a session's questions, and the one path by which mail is accepted."""
