"""The page and the service: one process on this machine that answers browsers and programs (extra ``web``)."""
