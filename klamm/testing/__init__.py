"""The public test API: clusters inside a test."""
