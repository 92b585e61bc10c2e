"""Several processes that serve one site: a parent that holds sockets and lock, and workers that do the work.

``parent`` starts, watches and replaces workers (``crew``), ``worker`` is what a worker has from its parent
(``inheritance``), ``footing`` what a process alone has instead. What they tell each other goes by ``channel``; what
workers have to log, by ``log``. One process leads (``leader``).
"""
