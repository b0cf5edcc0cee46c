"""Files: atomic writes, bounded reads, pickles without code execution, and a lock for folders."""
