"""What is unwise in a document is found, and what is sensible is left alone."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from automl import flow
from automl.authoring import lint
from automl.blocks import _stock
from automl.cli import main
from automl.document.yaml_text import parse
from automl.experiment import experiment

REPO = Path(__file__).parents[2]
SENSIBLE = """
model:
  - conv: {repeat: {min: 1, max: 2}, filters: {min: 8, max: 64, log: true, each: true}, pool: max}
  - global_pool
training:
  epochs: 20
  batch_size: {values: [16, 32]}
  optimizer: {adam: {learning_rate: {min: 1e-4, max: 1e-2, log: true}}}
  early_stopping: {patience: 5}
search: {objective: val_accuracy, trials: 20, seed: 0}
"""


def read(text):
    return experiment.check(parse(dedent(text), "s.yaml"), "s")


def told(text, shape=None):
    """The findings as `line:column: what`."""
    found = lint.findings(read(text), None if shape is None else flow.read(shape))
    return [f"{each.where.removeprefix('s.yaml:')}: {each.what}" for each in found]


def of_training(text):
    return told(f"model: [global_pool]\ntraining: {{{text}}}")


def of_blocks(text):
    return told(f"model: [{text}]")


def of_search(text, model="dense: {units: {min: 8, max: 64}, dropout: {values: [0.0, 0.2]}}"):
    return told(f"model: [flatten, {model}]\nsearch: {{{text}}}")


def test_a_sensible_document_has_no_findings():
    assert told(SENSIBLE, "28x28x1") == []


@pytest.mark.parametrize("check", lint.CHECKS, ids=lambda check: check.__name__)
def test_every_check_says_in_a_line_what_it_finds(check):
    assert len(check.__doc__.splitlines()) == 1


# --- domains


def test_a_domain_of_one_value():
    assert of_blocks("flatten, dense: {units: {values: [8]}}") == ["1:26: dense.units is always 8"]
    assert of_blocks("flatten, dense: {repeat: 2, units: {min: 8, max: 8, each: true}}") == [
        "1:37: dense.units is always 8"
    ]


def test_steps_that_never_reach_the_end():
    (found,) = lint.findings(read("model: [flatten, dense: {dropout: {min: 0.0, max: 0.5, step: 0.2}}]"))
    assert str(found) == (
        "s.yaml:1:56: warning: dense.dropout is never 0.5: in steps of 0.2 from 0.0 it ends at 0.4. "
        "The range reads wider than it is. Write max: 0.4, or a step that divides the range."
    )
    assert of_blocks("flatten, dense: {dropout: {min: 0.0, max: 0.3, step: 0.1}}") == []


def test_scales():
    assert of_blocks("flatten, dense: {units: {min: 8, max: 20, log: true}}") == [
        "1:51: dense.units is drawn on a log scale over a factor of 2.5"
    ]
    assert of_blocks("flatten, dense: {units: {min: 8, max: 24, log: true}}") == []
    assert of_training("optimizer: {adam: {learning_rate: {min: 1e-4, max: 1e-1}}}") == [
        "2:31: training.optimizer.adam.learning_rate is drawn evenly over a factor of 1e+03"
    ]
    assert of_blocks("flatten, dense: {l2: {min: 1e-6, max: 1e-2, log: true}}") == []
    assert of_blocks("flatten, dense: {units: {min: 1, max: 512}, l2: {min: 0.0, max: 0.1}}") == []


# --- fields that do nothing


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ("pool_size: 3", "pool_size never matters: pool is 'none'"),
        ("pool_size: {values: [2, 3]}", "pool_size never matters: pool is 'none'"),
        (
            "pool: {values: [none, max]}, pool_size: {values: [2, 3]}",
            "conv.pool_size is searched where it does not matter: pool may be 'none'",
        ),
        ("pool: {values: [none, max]}, pool_size: 2", None),
        ("pool: {values: [avg, max]}, pool_size: {values: [2, 3]}", None),
        ("pool: {values: [none, max]}, pool_size: {values: [2, 3], when: {conv.pool: [max]}}", None),
        (
            "pool: {values: [none, max]}, pool_size: {values: [2, 3], when: {conv.pool: [none]}}",
            "pool_size never matters: pool is 'none'",
        ),
        # There is no `when` for the repeats of an `each`.
        ("repeat: 2, pool: {values: [none, max], each: true}, pool_size: {values: [2, 3]}", None),
        (
            "repeat: 2, norm: {each: [none, batch]}, norm_groups: 4",
            "norm_groups never matters: norm is 'none' or 'batch'",
        ),
    ],
)
def test_a_field_that_another_one_keeps_from_mattering(fields, what):
    found = of_blocks(f"conv: {{{fields}}}")
    assert [each.split(": ", 1)[1] for each in found] == ([] if what is None else [what])


def test_the_way_out_of_an_idle_field_is_one():
    text = "model: [conv: {pool: {values: [none, max]}, pool_size: {values: [2, 3]HERE}}]"
    (found,) = lint.findings(read(text.replace("HERE", "")))
    assert found.hint == "Add when: {conv.pool: ['max']}"
    assert lint.findings(read(text.replace("HERE", f", {found.hint.removeprefix('Add ')}"))) == []


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ("nesterov: true", "nesterov never matters: momentum is 0.0"),
        ("nesterov: false", None),
        ("nesterov: true, momentum: 0.9", None),
        ("nesterov: true, momentum: {min: 0.0, max: 0.9}", None),
        ("nesterov: true, momentum: {values: [0.0, 0.9]}", None),
        (
            "nesterov: {values: [true, false]}, momentum: {values: [0.0, 0.9]}",
            "training.optimizer.sgd.nesterov is searched where it does not matter: momentum may be 0.0",
        ),
        ("ema_momentum: 0.9", "ema_momentum never matters: use_ema is false"),
    ],
)
def test_a_field_of_an_optimizer_that_does_nothing(fields, what):
    found = of_training(f"optimizer: {{sgd: {{{fields}}}}}")
    assert [each.split(": ", 1)[1] for each in found] == ([] if what is None else [what])


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ("early_stopping: {patience: 9}", "early_stopping.patience is 9"),
        ("early_stopping: {patience: 8}", None),
        ("early_stopping: {patience: {values: [5, 30]}}", "early_stopping.patience may be 30"),
        ("schedule: {cosine: {warmup: 10}}", "cosine.warmup is 10"),
        ("schedule: {cosine: {warmup: 9}}", None),
        ("schedule: {one_of: {constant: {}, cosine: {warmup: {min: 0, max: 10}}}}", "cosine.warmup may be 10"),
        ("schedule: {piecewise: {boundaries: [5, 10]}}", "piecewise.boundaries is 10"),
        ("schedule: {reduce_on_plateau: {patience: 9}}", "reduce_on_plateau.patience is 9"),
    ],
)
def test_what_no_trial_trains_long_enough_for(fields, what):
    found = of_training(f"epochs: {{values: [5, 10]}}, {fields}")
    assert [each.split(": ", 1)[1] for each in found] == ([] if what is None else [what])


def test_an_early_stopping_that_is_told_stops_nothing():
    """One epoch less of patience does stop: Keras itself says where the border lies."""
    import keras

    def epochs(patience):
        stopping = keras.callbacks.EarlyStopping(monitor="loss", patience=patience)
        stopping.set_model(type("Model", (), {"stop_training": False})())
        stopping.on_train_begin()
        for epoch in range(10):
            stopping.on_epoch_end(epoch, {"loss": 1.0})
            if stopping.model.stop_training:
                return epoch + 1
        return 10

    assert (epochs(8), epochs(9)) == (9, 10)


# --- points


@pytest.mark.parametrize(
    ("constraint", "what"),
    [
        ("dense.units > 64", "no point of 1,000 drawn obeys 'dense.units > 64'"),
        (
            "dense.units < 10 and dense.dropout > 0",
            "'dense.units < 10 and dense.dropout > 0' rules out 98% of the points",
        ),
        ("dense.units > 4", "'dense.units > 4' rules nothing out"),
        ("dense.units >= 16", "the default trial breaks 'dense.units >= 16'"),
        ("dense.units <= 32", None),
        # One draw in two thousand is out.
        ("dense.units < 64 or dense.units < 65 and dense.dropout < 0.1", None),
    ],
)
def test_constraints(constraint, what):
    found = of_search(f'constraints: ["{constraint}"]')
    assert [each.split(": ", 1)[1] for each in found][:1] == ([] if what is None else [what])


def test_constraints_that_leave_little_together():
    model = "dense: {units: {min: 1, max: 100, default: 50}, dropout: {min: 0.0, max: 0.5, default: 0.1}}"
    some = ["dense.units > 40", "dense.units < 60", "dense.dropout < 0.2"]
    found = of_search(f"constraints: {json.dumps(some)}", model)
    assert found == ["2:10: the constraints together rule out 94% of the points"]
    assert of_search(f"constraints: {json.dumps(some[:2])}", model) == []


def test_starting_points_that_are_the_same():
    assert of_search("start: [{dense.units: 16}, {}, {dense.units: 8}]") == [
        "2:41: starting point 3 is the same as point 2"
    ]


def test_trials_that_are_refused():
    clips = "clipnorm: {values: [null, 1.0]}, clipvalue: {values: [null, 0.5]%s}"
    (found,) = of_training(clips % "")
    assert found.startswith("2:12: 2")
    assert found.endswith(
        "% of the trials are refused: clipnorm and clipvalue exclude each other: Keras takes one of them"
    )
    assert of_training(clips % ", when: {training.clipnorm: [null]}") == []


# --- cost and meaning


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ("recurrent_dropout: 0.2", "recurrent_dropout may be 0.2, which takes lstm off the cuDNN path"),
        ("cell: simple_rnn, recurrent_dropout: 0.2", None),
        ("recurrent_dropout: 0.0", None),
        (
            "recurrent_dropout: {min: 0.0, max: 0.3}",
            "recurrent_dropout may be 0.3, which takes lstm off the cuDNN path",
        ),
        (
            "cell: {values: [gru, lstm, simple_rnn]}, activation: {values: [tanh, relu]}",
            "activation may be 'relu', which takes lstm and gru off the cuDNN path",
        ),
        (
            "cell: {values: [gru, simple_rnn]}, recurrent_dropout: {values: [0.3], when: {recurrent.cell: simple_rnn}}",
            None,
        ),
    ],
)
def test_leaving_cudnn(fields, what):
    found = of_blocks(f"recurrent: {{{fields}}}")
    assert [each.split(": ", 1)[1] for each in found] == ([] if what is None else [what])


@pytest.mark.parametrize(
    ("block", "finds"),
    [
        ("conv: {norm: batch}", True),
        ("conv: {norm: {values: [none, batch]}}", True),
        ("BatchNormalization: {}", True),
        ("residual: [conv]", False),
        ("conv: {norm: layer}", False),
        ("residual_unit: {norm: none}", False),
    ],
)
def test_batches_of_one(block, finds):
    found = told(f"model: [{block}]\ntraining: {{batch_size: {{values: [8, 1]}}}}")
    assert found == ["2:12: batch_size may be 1 beside batch normalisation"] * finds
    assert told(f"model: [{block}]\ntraining: {{batch_size: {{values: [8, 2]}}}}") == []


def test_losses_that_do_not_compare():
    text = """\
        model: [flatten, dense: {l2: {values: [0.0, 0.1]}}]
        training: {loss: {one_of: {crossentropy: {label_smoothing: {min: 0.0, max: 0.2}}, focal: {}}}}
        search: {objective: METRIC}
    """
    assert told(text.replace("METRIC", "val_accuracy")) == []
    assert told(text.replace("METRIC", "val_loss")) == [
        "2:12: training.loss is searched while the objective is val_loss",
        "2:43: training.loss.crossentropy.label_smoothing is searched while the objective is val_loss",
    ]


def test_a_scheduler_that_never_judges():
    text = "model: [flatten]\ntraining: {epochs: EPOCHS}\nsearch: {WHAT, trials: TRIALS}"

    def found(epochs, trials, what="scheduler: asha"):
        given = text.replace("EPOCHS", str(epochs)).replace("TRIALS", str(trials)).replace("WHAT", what)
        return told(given)

    assert found(1, 20) == ["3:10: asha finds no rung within 1 epochs"]
    assert found(1, 20, "algorithm: hyperband") == ["3:10: hyperband finds no rung within 1 epochs"]
    assert found(2, 20) == []
    assert found(9, 3) == ["3:27: asha has 3 trials, fewer than the 4 that it needs to tell good from bad"]
    assert found(9, 5, "scheduler: median") == [
        "3:29: median has 5 trials, fewer than the 6 that it needs to tell good from bad"
    ]
    assert found(1, 2, "algorithm: random") == []


# --- shapes


def test_trials_that_cannot_be_built():
    text = """\
        model:
          - stack:
              repeat: {min: 0, max: 2, default: 1}
              blocks:
                - conv: {kernel_size: {values: [3, 9]}, padding: valid}
          - name: body
            one_of:
              plain: []
              deep:
                - parallel:
                    - [conv]
                    - [conv: {pool: max, pool_size: 13}, conv]
    """
    assert told(text, "28x28x1") == ["12:34: 19 of 200 drawn trials cannot be built for an input of 28x28x1"]
    (first, second) = told(text, "8x8x1")
    assert first.startswith("5:18: ")
    assert first.endswith(" of 200 drawn trials cannot be built for an input of 8x8x1")
    assert second.startswith("12:")
    assert told(text) == []


def test_the_default_trial_counts_by_itself():
    (found,) = lint.findings(read("model: [conv: {padding: valid, kernel_size: 5}]"), flow.read("4x4x1"))
    assert str(found) == (
        "s.yaml:1:32: warning: the default trial and 200 of 200 drawn trials cannot be built for an input of 4x4x1. "
        "It fails here: kernel_size 5x5 is larger than its input 4x4. "
        "Make it smaller, or shrink the input less before this block (stride, pool, padding: same)."
    )


def test_an_order_of_blocks_that_cannot_be():
    assert told("model:\n  - dense\n  - conv: {filters: 3}", "4x4x1") == [
        "3:5: the default trial and 200 of 200 drawn trials cannot be built for an input of 4x4x1"
    ]


def test_behind_a_keras_layer_models_are_built_until_one_can_be():
    text = "model: [{SpatialDropout2D: {rate: 0.2}}, {conv: {padding: valid, kernel_size: KERNEL}}]"
    said = told(text.replace("KERNEL", "{values: [5, 6]}"), "4x4x1")
    assert len(said) == 1
    assert said[0].startswith("1:66: the default trial and 9 of 9 drawn trials cannot be built for an input of 4x4x1")
    said = told(text.replace("KERNEL", "{values: [5, 3]}"), "4x4x1")
    assert said == ["1:66: the default trial cannot be built for an input of 4x4x1"]
    assert told(text.replace("KERNEL", "{values: [3, 5]}"), "4x4x1") == []
    assert told("model: [dense, {Dropout: {rate: 0.2}}, conv]", "28x28x1") != []
    backbone = "model: [{backbone: {family: MobileNetV2, alpha: 0.35, pooling: avg}}, {Dropout: {rate: 0.1}}, BLOCK]"
    assert told(backbone.replace("BLOCK", "dense"), "32x32x3") == []
    assert "cannot be built" in told(backbone.replace("BLOCK", "conv"), "32x32x3")[0]


def test_what_keras_says_of_a_layer_is_told_with_its_sizes():
    text = "model: [{Reshape: {target_shape: [7, 9]}}, {dense: {units: {values: [8, 16]}}}]"
    (found,) = lint.findings(read(text), flow.read("8x8x1"))
    said = str(found)
    assert "The total size of the tensor must be unchanged" in said
    assert "target_shape=(7, 9)" in said
    assert "Exception encountered" not in said


def test_a_block_named_as_a_joint_is_valid_and_can_be_built():
    assert told("model: [dense, flatten]", "8x2") == []


# --- the command


def run(*arguments):
    return CliRunner().invoke(main, ["validate", *arguments])


@pytest.fixture
def unwise(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("model: [conv: {pool_size: 2, kernel_size: 5, padding: valid}]\n")
    return path


def test_findings_are_warnings(unwise):
    result = run(str(unwise))
    assert result.exit_code == 0
    assert "The document is valid." in result.stdout
    assert result.stderr == (
        f"{unwise}:1:16: warning: pool_size never matters: pool is 'none'. "
        "Nothing reads it beside that pool. Remove pool_size, or change pool.\n"
    )


def test_findings_are_errors_when_strict(unwise):
    result = run(str(unwise), "--strict")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {unwise}:1:16: pool_size never matters")
    assert "valid" not in result.stdout
    assert run("lenet", "--strict").exit_code == 0


def test_findings_as_json(unwise):
    (first, second) = json.loads(run(str(unwise), "--input", "4x4x1", "-o", "json").stdout)["findings"]
    assert first["where"] == f"{unwise}:1:16"
    assert set(first) == {"where", "what", "why", "hint"}
    assert "cannot be built" in second["what"]


@pytest.mark.parametrize(("side", "count"), [(4, 2), (5, 1)])
def test_the_shape_comes_from_the_data_document_too(unwise, side, count):
    data = unwise.parent / "d.yaml"
    source = f"{{csv: {{file: no.csv, target: y, shape: [{side}, {side}]}}}}"
    data.write_text(f"source: {source}\ninput: image\ntask: classification\n")
    result = run(str(unwise), "--data", str(data))
    assert len(result.stderr.splitlines()) == count, result.stderr


def test_a_shape_that_is_none(unwise):
    result = run(str(unwise), "--input", "28")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: --input: not a shape. Expected height x width x channels")


def test_stock_layers_are_checked_without_keras(tmp_path):
    if _stock.table() is None:
        pytest.skip("the table is about another version of Keras, which is then asked itself")
    path = tmp_path / "s.yaml"
    path.write_text("model: [{SpatialDropout1D: {rate: {min: 0.1, max: 0.3}}}, {Conv1D: {filters: 8, kernel_size: 3}}]")
    code = (
        "import sys; from automl.cli import main;"
        f"main(['validate', {str(path)!r}], standalone_mode=False);"
        "print(sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.splitlines()[-1] == "[]"


def test_neither_keras_nor_data_is_imported():
    code = (
        "import sys; from automl.cli import main;"
        "main(['validate', 'resnet', '--input', '28x28x1'], standalone_mode=False);"
        "print(sorted({'keras', 'keras_tuner', 'mlflow', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.splitlines()[-1] == "[]"
