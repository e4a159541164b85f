"""A search for settings: runs that are proposed, watched, cut short or finished, and compared."""
