"""Beyond one machine: a store of Lance tables, in a folder or an object storage, filled by one process or by Ray.

``sources`` list what is to be read, ``work`` makes vectors of it, ``runners`` and ``ray_runner`` do that on threads or
on a cluster, ``job`` commits what comes back to the ``store``; ``search`` answers from it, and ``transfer`` carries a
catalogue to a store and back. Nothing here is imported before a store is named.
"""
