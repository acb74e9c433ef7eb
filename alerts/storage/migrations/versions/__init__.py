"""The numbered steps, one file each."""
