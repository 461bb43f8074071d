"""From a trial's document to a Keras model, and back from its file."""
