"""Documents of the flow tests: real data, models so small that an epoch takes a blink."""

from __future__ import annotations

DIGITS = """
data:
  name: few_digits
  source: {sklearn: {name: digits}}
  input: image
  task: classification
  split: {val: 0.2, test: 0.2, seed: 0}
  limit: {train: 160, val: 60, test: 60}
"""

# Leaves of all kinds: text, numbers, null, true, and such that are absent from some trials.
CNN = f"""model:
  - conv:
      filters: {{min: 2, max: 4}}
      kernel_size: 3
      norm: {{values: [batch, none]}}
      pool: max
      dropout: {{values: [0.1, 0.2]}}
  - dense:
      repeat: {{min: 0, max: 1}}
      units: {{values: [4, 8]}}
training:
  epochs: 2
  batch_size: 32
  optimizer:
    one_of:
      adam: {{learning_rate: {{values: [0.003, 0.01, 0.03]}}}}
      sgd: {{learning_rate: 0.05, nesterov: {{values: [true, false]}}, momentum: 0.9}}
  clipnorm: {{values: [null, 1.0]}}
search: {{objective: val_accuracy, seed: 3, trials: 8, algorithm: ALGORITHM}}
{DIGITS}"""

RUNGS = f"""model:
  - conv: {{filters: {{min: 2, max: 6}}, kernel_size: 3, pool: max, dropout: 0.1}}
  - flatten
training:
  epochs: 4
  batch_size: 32
  optimizer: {{adam: {{learning_rate: {{min: 1e-3, max: 3e-2, log: true}}}}}}
search: {{objective: val_accuracy, seed: 3, trials: 8, algorithm: hyperband}}
{DIGITS}"""

RNN = """model:
  - recurrent:
      cell: {values: [lstm, gru, simple_rnn]}
      units: {values: [3, 4]}
      bidirectional: {values: [true, false]}
      dropout: {values: [0.1, 0.2]}
training:
  epochs: 2
  batch_size: 32
  optimizer: {adam: {learning_rate: 0.02}}
search: {objective: val_accuracy, seed: 1, trials: 3, algorithm: random}
data:
  name: few_vowels
  source: {ts: {folder: ucr_uea/JapaneseVowels}}
  input: series
  task: classification
  split: {val: 0.2, seed: 0}
  limit: {train: 100, val: 50, test: 60}
"""

DOCUMENTS = {
    "random": CNN.replace("ALGORITHM", "random"),
    "grid": CNN.replace("ALGORITHM", "grid"),
    # Few random points first, so that most proposals depend on the scores before them.
    "bayesian": CNN.replace("ALGORITHM", "{bayesian: {initial_points: 3}}"),
    "hyperband": RUNGS,
    "rnn": RNN,
}

# The quickest search there is, for tests of what stands round it.
QUICK = f"""model:
  - conv: {{filters: {{min: 1, max: 9}}, kernel_size: 1}}
training: {{epochs: 1, batch_size: 32}}
search: {{algorithm: random, trials: 2}}
{DIGITS}"""
