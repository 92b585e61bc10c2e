"""What holds for all tests."""

from hypothesis import settings

# No test is about time (docs/contributing.rst): on a busy machine any example may take long.
settings.register_profile("mailsuite", deadline=None)
settings.load_profile("mailsuite")
