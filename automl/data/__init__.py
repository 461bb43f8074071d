"""How examples lie and are cut: the data document, its preparation, parts and folds, the batches of a training."""
