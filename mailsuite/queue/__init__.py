"""Mail that could not be delivered at once.

`store` keeps it and says what is due (`IQueue`), `admin` puts it into an operator's hands, `runner` works through it:
`destinations` and `learning` say what is begun, `concluding` how it ends.
The store in one look: `schema` is the file, `writer` the thread that has it; `accepting`, `claiming`, `settling` and
`flushing` are what is done there, `due` keeps destinations, `owners` the leases, `files` large content.
"""
