"""The HTTP API: what commands do, for programs. ``docs/openapi.json`` describes it, and a test holds the two together.

`route` says what one request is about, one module for each resource has its ``ROUTES``, and `application` serves them.
"""
