"""SIGKILL under load, again and again: nothing acknowledged is lost or doubled, and no committed offset goes back."""
