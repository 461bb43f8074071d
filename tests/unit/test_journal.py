import errno
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl import journal
from automl.errors import SearchError
from automl.journal import (
    FILE,
    Asked,
    Ended,
    Finished,
    Header,
    Holder,
    Journal,
    Lock,
    Lost,
    Reported,
    Resumed,
    Retried,
    Started,
    holder,
    now_ms,
)
from automl.journal.data import data_of
from automl.journal.events import encode
from automl.records.data import DataSpec, InputSpec, TaskSpec

HEADER = Header(
    search="20261101-101500-abcd",
    created=1_000,
    document={
        "model": [{"conv": {"filters": {"min": 8, "max": 64}, "activation": {"values": [None, True, [1, 2.0]]}}}]
    },
    data_digest=None,
    keys=("conv.filters", "conv.activation"),
    seed=0,
    threads=2,
    backend="jax",
    versions={"python": "3.11.9"},
    host="héphaïstos\u2028",
)
EVENTS = [
    HEADER,
    Asked(1, {"conv.filters": 8, "conv.activation": None}, seed=7, time=1_100, rungs=(1, 3)),
    Asked(2, {"conv.filters": 9, "conv.activation": [1, 2.0]}, seed=8, time=1_150),
    Started(1, 1, 1_200),
    Reported(1, 1, 1, {"loss": 0.25}, 1_300),
    Lost(1, 1, 1_400, "killed by signal 9"),
    Started(1, 2, 1_500),
    Reported(1, 2, 2, {"loss": 1e-300}, 1_600, {"val_loss": "nan"}),
    Reported(1, 2, 3, {"loss": 0.1 + 0.2}, 1_700),
    Ended(1, 2, "completed", 1_800, score=0.9, best_epoch=2, metrics={"loss": 0.5}, epochs=3, parameters=10),
    Finished("completed", "the budget of trials is spent", 2_000, best=1, test={"accuracy": 0.9}),
    Resumed(10_000),
    Started(2, 1, 10_500),
    Retried(2, 1, 10_600, {"batch_size": 8}, "out of memory"),
    Ended(2, 1, "error", 11_000, message="no", traceback="Traceback\n  line"),
]


def write(folder, events=EVENTS):
    with Journal.create(folder, events[0]) as log:
        for event in events[1:]:
            log.append(event)
    return folder / FILE


def test_what_is_written_is_read(tmp_path):
    path = write(tmp_path / "a" / "b")
    assert list(journal.read(path.parent)) == EVENTS
    assert path.read_bytes().count(b"\n") == len(EVENTS)
    for line in path.read_bytes().splitlines():
        assert json.loads(line, parse_constant=pytest.fail)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=40)  # each is written, and flushed to the disk
@given(values=st.dictionaries(st.text(), json_values, max_size=4))
def test_any_plain_value_survives(values, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    write(folder, [HEADER, Asked(1, values, 0, 0)])
    back = journal.replay(folder).trials[1].asked.values
    assert json.dumps(back) == json.dumps(values)  # by text, so that 1, 1.0 and true stay three values


def test_replay_tells_what_came_of_each_trial(tmp_path):
    write(tmp_path)
    history = journal.replay(tmp_path)
    assert history.header == HEADER
    first, second = history.trials[1], history.trials[2]
    assert [(report.attempt, report.epoch) for report in first.reports] == [(1, 1), (2, 2), (2, 3)]
    assert (first.attempts, len(first.lost), first.ended) == (2, 1, EVENTS[9])
    assert first.asked.rungs == (1, 3)
    assert (second.attempts, second.reports, second.ended) == (1, [], EVENTS[-1])
    assert (first.changes, second.changes) == ({}, {"batch_size": 8})
    assert history.finished is None
    assert history.finishes == [EVENTS[10]]
    assert history.seconds == 2.0  # 1,000 to 2,000 and 10,000 to 11,000
    assert history.past() == [
        {
            "number": 1,
            "values": {"conv.filters": 8, "conv.activation": None},
            "ended": True,
            "score": 0.9,
        },
        {
            "number": 2,
            "values": {"conv.filters": 9, "conv.activation": [1, 2.0]},
            "ended": True,
            "score": None,
        },
    ]


def test_a_finished_search_is_finished(tmp_path):
    write(tmp_path, EVENTS[:11])
    assert journal.replay(tmp_path).finished == EVENTS[10]
    assert journal.replay(tmp_path).past()[1]["ended"] is False


@pytest.mark.parametrize("tail", [b"\0\0\0\0", b"\xff\xfe", b'{"event":"start"', b'["whole"]\n', b"}\n", b"\n"])
def test_a_garbled_last_line_is_ignored(tmp_path, tail):
    path = write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert list(journal.read(tmp_path)) == EVENTS
    assert path.read_bytes() == whole + tail  # a reader changes nothing
    with Journal.open(tmp_path) as log:
        log.append(Resumed(12_000))
        assert log.replay().trials.keys() == {1, 2}
    assert list(journal.read(tmp_path)) == [*EVENTS, Resumed(12_000)]


def test_a_line_cut_anywhere_is_ignored(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert list(journal.read(tmp_path)) == EVENTS[:-1]
    with Journal.open(tmp_path) as log:
        log.append(EVENTS[-1])
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{broken\n", "the line is broken"),
        (b"[]\n", "the line is broken"),
        (b'{"event":["ask"]}\n', "unknown event"),
        (b'{"event":"aks"}\n', "Did you mean 'ask'?"),
        (b'{"event":"start","number":1,"attempt":1}\n', "the start event: it lacks time"),
        (b'{"event":"resumed","time":NaN}\n', "the line is broken"),
        (b'{"event":"report","number":1,"attempt":1,"epoch":1,"metrics":{"loss":1e999},"time":1}\n', "is broken"),
        (b'{"event":"finish","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "the line is broken"),
        (b'{"event":"finish","status":"x","reason":"y","time":1,"best":9}\n', "trial 9, which was never asked"),
        (b'{"event":"start","number":9,"attempt":1,"time":1}\n', "never asked"),
    ],
)
def test_an_earlier_broken_line_is_named(tmp_path, line, said):
    path = write(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], line, *lines[3:]]))
    with pytest.raises(SearchError, match=re.escape(f"{path}:4: ")) as caught:
        journal.replay(tmp_path)
    assert said in str(caught.value)
    if "never asked" not in said:
        before = path.read_bytes()
        with pytest.raises(SearchError):
            Journal.open(tmp_path)
        assert path.read_bytes() == before


def test_fields_of_a_later_version_are_ignored(tmp_path):
    path = write(tmp_path)
    later = [json.dumps({**json.loads(line), "later": {"much": [1]}}) + "\n" for line in path.read_text().splitlines()]
    path.write_text("".join(later))
    assert list(journal.read(tmp_path)) == EVENTS
    with Journal.open(tmp_path) as log:
        log.append(Resumed(12_000))


@pytest.mark.parametrize(
    ("event", "field", "value", "said"),
    [
        ("start", "number", "1", "number is not what it should be. Expected a whole number; received '1'"),
        ("start", "number", True, "received true"),
        ("start", "time", 10**30, "time is not"),
        ("ask", "values", [1], "values is not what it should be. Expected a mapping; received [1]"),
        ("ask", "rungs", [1, "2"], "Expected a list, each entry a whole number"),
        ("report", "metrics", {"loss": "0.1"}, "Expected a mapping to a number; received {loss: '0.1'}"),
        ("end", "outcome", "won", "Expected one of completed, stopped,"),
        ("end", "score", [0.5], "Expected a number or null; received [0.5]"),
        ("end", "message", 5, "Expected text or null"),
        ("finish", "result", {"predicted_s": [1.0]}, "result: predicted_s is not what it should be"),
        ("header", "document", None, "document is not"),
        ("header", "settings", {"space": 5}, "settings: space is not what it should be"),
        ("header", "settings", {"cluster": {"address": "auto", "cpus": 1}}, "settings: cluster: it lacks gpus"),
        ("header", "settings", {"source": {"space": "cnn"}}, "settings: source: it lacks data, options, flags"),
        ("header", "settings", {"pretrained": [{"family": 1}]}, "settings: pretrained is not"),
    ],
)
def test_a_field_of_another_type_is_named(tmp_path, event, field, value, said):
    path = write(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    place = next(place for place, line in enumerate(lines) if line["event"] == event)
    lines[place][field] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(SearchError) as caught:
        journal.replay(tmp_path)
    told = str(caught.value)
    assert told.startswith(f"{path}:{place + 1}: the {event} event: ")
    assert said in told


def test_settings_of_every_kind_are_read(tmp_path):
    """What a search writes of a backbone, a cluster, its documents and a warm start."""
    path = write(tmp_path)
    weights = {
        "family": "MobileNetV2",
        "alpha": None,
        "weights": "imagenet",
        "source": "here",
        "digest": "ab",
        "new": 1,
    }
    settings = {
        "space": "cnn",
        "cluster": {"address": "auto", "cpus": 1.0, "gpus": 0.0},
        "source": {"space": "cnn", "data": None, "options": ["a=1"], "flags": {}, "start": [{"conv.filters": 8}]},
        "pretrained": [weights, weights],
    }
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(json.dumps({**json.loads(first), "settings": settings}) + "\n" + "".join(rest))
    assert next(journal.read(tmp_path)).settings == settings


def test_a_setting_that_is_missing_is_named(tmp_path):
    path = write(tmp_path)
    header = next(journal.read(tmp_path))
    with pytest.raises(SearchError, match=re.escape(f"{path}:1: the header event: settings: it lacks name.")):
        header.settings["name"]


def test_a_journal_is_of_one_search(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes() + encode(HEADER))
    with pytest.raises(SearchError, match="a second header"):
        journal.replay(tmp_path)


def test_a_journal_needs_its_header(tmp_path):
    with pytest.raises(SearchError, match="no such journal"):
        journal.replay(tmp_path)
    (tmp_path / FILE).write_bytes(b'{"event":"hea')
    with pytest.raises(SearchError, match="never began"):
        Journal.open(tmp_path)
    (tmp_path / FILE).write_bytes(b'{"event":"resumed","time":1}\n')
    with pytest.raises(SearchError, match="begins with its header"):
        journal.replay(tmp_path)
    write(tmp_path / "next")
    changed = (tmp_path / "next" / FILE).read_bytes().replace(b'"format":3', b'"format":1', 1)
    (tmp_path / "next" / FILE).write_bytes(changed)
    with pytest.raises(SearchError, match="another format"):
        journal.replay(tmp_path / "next")


def test_a_search_of_the_second_format_knows_its_data(tmp_path):
    old = {"name": "d", "digest": "ab", "input": "image", "shape": [8, 8, 1], "input_fields": {"scale": "unit"}}
    old |= {"task": "classification", "classes": ["a", "b"], "task_fields": {"class_weights": "balanced"}}
    old |= {"sizes": {"train": 9}, "strategy": "group", "version": 1, "notes": ["read so"]}
    path = write(tmp_path, [replace(HEADER, settings={"data": old}), Resumed(1)])
    path.write_bytes(path.read_bytes().replace(b'"format":3', b'"format":2', 1))
    reader = InputSpec("image", {"image": {"scale": "unit"}}, ("x",), (8, 8, 1))
    task = TaskSpec({"classification": {"class_weights": "balanced"}}, ("y",), {"classes": ["a", "b"]})
    expected = DataSpec("", "d", "ab", (reader,), task, {"train": 9}, strategy="group", version=1, notes=("read so",))
    assert data_of(next(journal.read(tmp_path))) == expected


def test_a_journal_begins_once(tmp_path):
    write(tmp_path)
    with pytest.raises(SearchError, match="has begun already"):
        Journal.create(tmp_path, HEADER)
    assert list(journal.read(tmp_path)) == EVENTS


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_non_finite_numbers_are_never_written(tmp_path, bad):
    path = write(tmp_path)
    before = path.read_bytes()
    with Journal.open(tmp_path) as log:
        with pytest.raises(ValueError, match="JSON compliant"):
            log.append(Reported(2, 1, 1, {"loss": bad}, 1))
        with pytest.raises(TypeError):
            log.append(Reported(2, 1, 1, {"loss": object()}, 1))
        assert path.read_bytes() == before


def test_a_killed_writer_leaves_every_event_it_was_told_was_written(tmp_path):
    code = f"""
import sys
from dataclasses import replace
from pathlib import Path
from automl.journal import Header, Journal, Resumed
log = Journal.create(Path({str(tmp_path)!r}) / "s", Header("s", 0, {{}}, None, (), 0, 1, "jax", {{}}, "h"))
for time in range(100_000):
    log.append(Resumed(time))
    print(time, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    for _ in range(20):
        told = int(process.stdout.readline())
    process.kill()
    rest, _ = process.communicate()
    told = int(rest.split()[-1]) if rest.endswith("\n") and rest.split() else told
    events = list(journal.read(tmp_path / "s"))
    assert [event.time for event in events[1:]] == list(range(len(events) - 1))
    assert len(events) - 1 > told


def test_times_are_unix_milliseconds():
    assert abs(now_ms() / 1000 - time.time()) < 5


# --- the lock


def test_a_second_writer_is_told_who_the_first_is(tmp_path):
    folder = tmp_path / "search"
    assert holder(folder) is None
    with Lock(folder):
        said = holder(folder)
        assert said is not None
        assert (said.pid, abs(said.started - now_ms()) < 60_000) == (os.getpid(), True)
        assert json.loads((folder / "lock").read_text()) == vars(said)
        with pytest.raises(SearchError, match=rf"process {os.getpid()} on {re.escape(said.host)} since 20"):
            Lock(folder).acquire()
        assert holder(folder) == said
    assert holder(folder) is None
    with Lock(folder), pytest.raises(SearchError):
        Lock(folder).acquire()
    lock = Lock(folder)
    lock.acquire()
    lock.release()
    lock.release()  # twice does no harm


@pytest.mark.parametrize("text", ["[]", '{"pid": "1"}', '{"pid": 1, "host": "here", "started": 99999999999999999}'])
def test_a_lock_that_says_nonsense_is_nameless(tmp_path, text):
    with Lock(tmp_path):
        (tmp_path / "lock").write_text(text)
        assert holder(tmp_path) == Holder(0, "unknown", 0)


def test_who_drives_a_search_is_seen_without_writing(tmp_path, monkeypatch):
    def opened(path, flags, *args, **kwargs):
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT), path
        return before(path, flags, *args, **kwargs)

    with Lock(tmp_path) as lock:
        before = os.open
        monkeypatch.setattr(os, "open", opened)
        assert holder(tmp_path).pid == os.getpid()
        lock.release()
        assert holder(tmp_path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
def test_a_search_of_an_older_release_is_seen_to_run_and_waited_for(tmp_path):
    """Those took the lock by flock, and wrote who they are at the beginning of the file."""
    import fcntl

    older = Holder(12345, "elsewhere", 1_795_675_226_175)
    with (tmp_path / "lock").open("w") as file:
        file.write(json.dumps(vars(older)))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(tmp_path) == older
        with pytest.raises(SearchError, match="another process drives this search: process 12345 on elsewhere"):
            Lock(tmp_path).acquire()
        assert json.loads((tmp_path / "lock").read_text()) == vars(older)
    assert holder(tmp_path) is None
    with Lock(tmp_path):
        assert holder(tmp_path).pid == os.getpid()


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
def test_whoever_looks_is_no_driver_and_keeps_none_out(tmp_path):
    import fcntl

    (tmp_path / "lock").write_text(json.dumps(vars(Holder(12345, "here", 1))))  # killed
    with (tmp_path / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as `holder` does in another process
        assert holder(tmp_path) is None
        done = threading.Timer(0.1, lambda: fcntl.flock(file, fcntl.LOCK_UN))
        done.start()
        with Lock(tmp_path):
            assert holder(tmp_path).pid == os.getpid()
        done.join()


def test_where_no_file_can_be_locked_no_other_driver_is_blamed(tmp_path, monkeypatch):
    def refuse(handle, **given):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("automl.journal.lock.lock_descriptor", refuse)
    with pytest.raises(SearchError, match=r"lock: no file can be locked there: Function not implemented. Keep"):
        Lock(tmp_path).acquire()


def test_a_garbled_lock_is_only_nameless(tmp_path):
    (tmp_path / "lock").write_text("{")
    with Lock(tmp_path):
        (tmp_path / "lock").write_text('{"pid": 1')
        assert holder(tmp_path) == Holder(0, "unknown", 0)
        with pytest.raises(SearchError, match="has not said which"):
            Lock(tmp_path).acquire()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_dead_owner_never_blocks(tmp_path):
    code = f"""
import time
from dataclasses import replace
from pathlib import Path
from automl.journal import Lock
lock = Lock(Path({str(tmp_path)!r}))
lock.acquire()
print("held", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    assert holder(tmp_path).pid == process.pid
    with pytest.raises(SearchError, match=f"process {process.pid} "):
        Lock(tmp_path).acquire()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert holder(tmp_path) is None
    with Lock(tmp_path):
        assert holder(tmp_path).pid == os.getpid()


def test_a_child_does_not_keep_the_lock(tmp_path):
    with Lock(tmp_path):
        child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
        child.start()
    try:
        assert holder(tmp_path) is None
        with Lock(tmp_path):
            pass
    finally:
        child.kill()
        child.join()


def test_the_room_imports_neither_keras_nor_mlflow():
    code = "import sys, automl.journal; print([n for n in ('keras', 'mlflow', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert Path(journal.__file__).name == "__init__.py"
