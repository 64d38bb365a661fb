"""Cuts of the power on a real file system: XFS on a loop device, shut down under a broker that is at work."""
