"""The wire format: messages, frames, record batches, error codes. Pure: no I/O, no asyncio, imports nothing of ours."""
