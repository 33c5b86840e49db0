"""The operator's outside: its lock, its doors, the files and children it watches, its log."""
