"""The same raw-protocol steps on two brokers, and a comparison of every answer.

A case (`cases/`) is a function that sends requests through a `Run`; each answer is brought into a normal form by the
rules of `klamm.proxy.normal` and must then be equal on both brokers, unless `known.py` lists the difference with its
reason.
"""
