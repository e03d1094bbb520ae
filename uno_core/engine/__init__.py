"""What stands behind the port: it records every call, performs it, and answers replays from the journal."""
