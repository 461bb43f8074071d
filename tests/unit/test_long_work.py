"""Small documents that ask for long work are answered at once: by what they hold, or by a line that says why not."""

import time

import pytest

from automl.authoring import lint
from automl.document.yaml_text import parse
from automl.errors import ConfigError, did_you_mean
from automl.experiment import experiment
from automl.flow import Shape
from automl.space.counting import told

LIMIT_S = 8.0  # of the processor
"""A document of the largest size that is read takes ruamel some 4 s; these take less than one."""
EACH = "model: [{dense: {repeat: {min: 0, max: 1000}, units: {values: [8, 16], each: true}}}]\n"
ONE = "model: [{dense: {units: {min: 1, max: 9}}}]\n"


def blocks(count, line):
    return "model:\n" + "".join(f"- dense: {{name: d{n}, {line.format(n, n - 1)}}}\n" for n in range(count))


def constraint(text):
    return f"{ONE}search: {{constraints: ['{text}']}}\n"


CHAIN = blocks(150, "units: {{values: [1, 2], when: {{d{1}.units: [1]}}}}").replace(", when: {d-1.units: [1]}", "")
REFUSED = {
    "10^12 integers": ("model: [{dense: {units: {min: 1, max: 1000000000000}}}]", "units does not fit"),
    "10^12 steps": ("model: [{dense: {units: {min: 1, max: 1000000000000, step: 1}}}]", "units does not fit"),
    "a step too small": ("model: [{dense: {dropout: {min: 0.0, max: 0.5, step: 1e-320}}}]", "the step is too small"),
    "steps that are lost": (
        "training: {clipnorm: {min: 1e15, max: 1.1e15, step: 0.01}}\nmodel: [dense]",
        "the step is too small",
    ),
    "a range too wide": ("training: {clipnorm: {min: -1e308, max: 1e308}}\nmodel: [dense]", "the range is too wide"),
    "a log range too wide": (
        "training: {clipnorm: {min: 1e-320, max: 1.0, log: true}}\nmodel: [dense]",
        "the range is too wide",
    ),
    "when on 10^9": (
        blocks(1, "units: {{values: [1], when: {{training.epochs: 0}}}}")
        + "training: {epochs: {min: 1, max: 1000000000}}",
        "training.epochs is never 0. Expected 1 to 1000000000; received 0",
    ),
    "a million parameters": (
        blocks(11, "repeat: {{min: 0, max: 1000}}, units: {{values: [8, 16], each: true}}"),
        "the space has too many parameters. Expected at most 10,000",
    ),
    "10^9 repeats as a value": (
        "model: [{dense: {repeat: {values: [1, 1000000000]}, units: {values: [1, 2], each: true}}}]",
        "too many repeats",
    ),
    "a chain of when": (
        CHAIN,
        "d101.units depends on too many others",
    ),
    "a chain of when, the last first": (
        "model:\n" + "".join(reversed(CHAIN.splitlines(keepends=True)[1:])),
        "d101.units depends on too many others",
    ),
    "a thousand minus signs": (constraint("-" * 980 + "dense.units < 5"), "more than 200 operations inside"),
    "a thousand nots": (constraint("not " * 240 + "dense.units < 5"), "more than 200 operations inside"),
    "a thousand constraints": (
        f"{ONE}search: {{constraints: [{', '.join(['dense.units > 1'] * 1000)}]}}",
        "constraints holds too many. Expected at most 100; received 1000",
    ),
    "two thousand starts": (
        f"{ONE}search: {{start: [{', '.join(['{dense.units: 1}'] * 2000)}]}}",
        "start holds too many. Expected at most 1,000; received 2000",
    ),
    "wrong names by the thousand": (
        f"{ONE}search: {{start: [{', '.join(f'{{dense.unts{n}: 1}}' for n in range(900))}]}}",
        "there may be more: the check ended at 50 mistakes",
    ),
    "wrong keys by the thousand": (
        f"model: [{{dense: {{{', '.join(f'units{n:080}: 1' for n in range(2000))}}}}}]",
        "there may be more: the check ended at 50 mistakes",
    ),
    "wrong blocks by the thousand": (
        "model:\n" + "- denes\n" * 2000,
        "there may be more: the check ended at 50 mistakes",
    ),
    "a long name": (
        f"model: [{{dense: {{name: {'a' * 900_000}, repeat: 1000, units: {{min: 1, max: 4, each: true}}}}}}]",
        "a block's name is too long. Expected at most 100 characters; received 900000 of them",
    ),
    "a long block": (f"model: [{'dense' * 100_000}]", "a block's name is too long"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_at_once(case):
    text, said = REFUSED[case]
    document = parse(text, "s.yaml")
    began = time.process_time()
    with pytest.raises(ConfigError) as caught:
        experiment.check(document, "s")
    assert time.process_time() - began < LIMIT_S
    assert said in str(caught.value)
    assert len(caught.value.problems) <= 51
    assert max(map(len, str(caught.value).splitlines())) < 500


ANSWERED = {
    "a fine step": ("model: [{dense: {dropout: {min: 0.0, max: 0.5, step: 1.0e-9}}}]", 500_000_001),
    "two ranges that are asked for": (
        blocks(2, "units: {{min: 1, max: 8000}}")
        + "- dense: {units: {values: [1, 2, 3], when: {d0.units: 5, d1.units: 6}}}\n",
        8000 * 8000 + 2,
    ),
    "a thousand repeats": (EACH, 2**1001 - 1),
    "a thousand repeats of four": (
        EACH.replace("units", "dropout: {values: [0.1, 0.2], each: true}, units"),
        sum(4**n for n in range(1001)),
    ),
    "pairs that hang on each other": (
        blocks(30, "units: {{values: [1, 2]}}")
        + "".join(f"- dense: {{name: e{n}, units: {{values: [1, 2], when: {{d{n}.units: 1}}}}}}\n" for n in range(30)),
        3**30,
    ),
    "one that hangs on forty": (
        blocks(40, "units: {{values: [1, 2]}}")
        + f"- dense: {{units: {{values: [1, 2], when: {{{', '.join(f'd{n}.units: 1' for n in range(40))}}}}}}}\n",
        None,
    ),
    "thousands of values": (f"model: [{{dense: {{units: {{values: {list(range(1, 5001))}}}}}}}]", 5000),
    "thousands of lists": (
        f"model: [conv: {{kernel_size: {{values: {[[n % 50 + 1, n // 50 + 1] for n in range(1500)]}}}}}]",
        1500,
    ),
    "a sum of a thousand, a hundred times": (
        f"{EACH}search: {{constraints: [{', '.join(f'sum(dense.units) < {9000 + n}' for n in range(100))}]}}",
        2**1001 - 1,
    ),
    "repeats of repeats of repeats": (
        "model: [" + "stack: {repeat: 1000, blocks: [" * 3 + "dense" + "]}" * 3 + "]",
        1,
    ),
    "thousands of blocks": ("model:\n" + "- dense\n" * 3000, 1),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_is_answered_at_once(case):
    text, size = ANSWERED[case]
    document = parse(text, "s.yaml")
    began = time.process_time()
    read = experiment.check(document, "s")
    assert read.space.size() == size
    found = lint.findings(read, Shape("feature_map", (64, 64, 1)))
    assert time.process_time() - began < LIMIT_S
    assert all(len(str(each)) < 500 for each in found)
    if "repeats of repeats" in case:
        assert "100% of the trials have more than 10,000 blocks" in str(found[0])


def test_a_count_is_shown_as_a_number_that_can_be_read():
    assert (told(None), told(12), told(10**14)) == ("endless", 12, 10**14)
    assert told(2**20_000) == "about 10^6020"


def test_nothing_near_is_looked_for_a_word_that_nobody_wrote():
    assert did_you_mean("unit", ["units", "name"]) == "Did you mean 'units'?"
    assert did_you_mean("units" * 100, ["units" * 99]) is None
