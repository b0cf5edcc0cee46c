"""Files: atomic writes, bounded reads, pickles without code execution, a lock for folders, and object stores."""
