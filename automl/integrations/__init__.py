"""Other people's tuners and models, tied to MLflow and to our spaces."""
