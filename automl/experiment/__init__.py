"""The checked whole: a document in, an experiment out."""
