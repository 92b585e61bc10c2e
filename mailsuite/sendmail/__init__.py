"""``sendmail``, as cron, web programs and mail clients of this machine call it: a message in, to the running server.

A program of its own that starts fast: nothing here loads Twisted, click, or the configuration, which its callers could
not read.
"""
