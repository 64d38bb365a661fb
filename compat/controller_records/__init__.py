"""What a real controller decides: requests to it, its answers, and the records that it appends to the metadata log."""
