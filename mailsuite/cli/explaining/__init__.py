"""What ``mailsuite explain`` is made of: the site opened for reading, a session through it, and words."""
