"""What came of a search, read from its journal: leaderboard, predictions, moved homes."""
