"""Sessions of real clients, recorded by `klamm proxy` on real Kafka and replayed on both (README.md)."""
