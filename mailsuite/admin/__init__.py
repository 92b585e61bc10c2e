"""What an operator does with a site: the one place above the parts for what a change needs beside its row.

Commands (`mailsuite.cli`) and the HTTP API (`mailsuite.admin.api`) both do it by these functions. All of it blocks.
"""
