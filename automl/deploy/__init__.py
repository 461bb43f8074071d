"""What is done with the best model of a search: registered in MLflow, written to a file."""
