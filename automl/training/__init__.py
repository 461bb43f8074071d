"""The training section: optimizers, losses, learning rates, augmentation, evaluation."""
