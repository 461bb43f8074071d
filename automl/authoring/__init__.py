"""What helps before a search: a first document, checks beyond the grammar, an editor's words, a plan."""
