"""Requests and responses: one module per API, with its two classes. Import only what is asked for."""
