"""The configuration: its settings, what is wrong with it, its tables and its scans."""
