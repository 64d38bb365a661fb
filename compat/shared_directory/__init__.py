"""One data directory and two brokers: klamm and real Kafka 4.3.1 start on what the other has written.

`python -m compat.shared_directory` tells the whole story and prints a table; the tests tell it shorter.
"""
