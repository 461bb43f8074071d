"""What is searched: domains, conditions, constraints, and the grammar that reads them."""
