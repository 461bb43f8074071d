from pathlib import Path

import pytest

from automl.document import catalog
from automl.document.catalog import DATASETS, SPACES
from automl.errors import ConfigError


def refusal(*args):
    with pytest.raises(ConfigError) as caught:
        catalog.find(*args)
    return str(caught.value)


def test_bare_names_are_found_and_listed():
    assert {"cnn", "rnn"} <= set(catalog.names(SPACES))
    assert {"digits", "japanese_vowels"} <= set(catalog.names(DATASETS))
    for kind in (SPACES, DATASETS):
        names = catalog.names(kind)
        assert names == sorted(names)
        assert [catalog.find(kind, name).stem for name in names] == names
        assert all(catalog.find(kind, name).is_file() for name in names)


def test_a_path_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cnn.yaml", "mine.yml", "plain"):
        Path(name).write_text("")
    assert catalog.find(SPACES, "cnn.yaml") == Path("cnn.yaml")
    assert catalog.find(SPACES, "mine.yml") == Path("mine.yml")
    assert catalog.find(SPACES, "./plain") == Path("plain")
    assert catalog.find(SPACES, str(tmp_path / "plain")) == tmp_path / "plain"
    # A bare name is the catalog's, whatever lies in the folder.
    Path("cnn").write_text("")
    assert catalog.find(SPACES, "cnn").parent == catalog.folder(SPACES)
    assert "no search space is called 'plain'" in refusal(SPACES, "plain")


def test_the_users_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("")
    assert catalog.find(DATASETS, "~/mine.yaml") == tmp_path / "mine.yaml"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((SPACES, "qqq.yml"), "qqq.yml: no such file."),
        ((SPACES, "none/nothing.yaml"), "none/nothing.yaml: no such file."),
        ((SPACES, "mien.yaml"), "mien.yaml: no such file. Did you mean 'mine.yaml'?"),
        ((SPACES, "mien.yaml", "--data"), "--data: no such file: 'mien.yaml'. Did you mean 'mine.yaml'?"),
        ((SPACES, "."), ".: this is a folder. Expected a YAML file."),
        ((SPACES, "./folder"), "./folder: this is a folder. Expected a YAML file."),
        ((SPACES, "folder.yaml", "f.yaml:3:1"), "f.yaml:3:1: this is a folder: 'folder.yaml'. Expected a YAML file."),
        ((SPACES, "a\nb/c.yaml"), "a b/c.yaml: no such file."),
    ],
)
def test_a_path_that_leads_nowhere(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("")
    Path("folder").mkdir()
    Path("folder.yaml").mkdir()
    assert refusal(*args) == said


@pytest.mark.parametrize(
    ("args", "start", "end"),
    [
        ((SPACES, "lenett"), "SPACE: no search space is called 'lenett'. Expected one of ", "Did you mean 'lenet'?"),
        ((DATASETS, "dgits"), "data: no data set is called 'dgits'. Expected one of ", "Did you mean 'digits'?"),
        ((DATASETS, "dgits", "--data"), "--data: no data set is called 'dgits'. ", "Did you mean 'digits'?"),
        ((DATASETS, "zzz"), "data: no data set is called 'zzz'. ", "or the path of a YAML file."),
        ((DATASETS, ""), "data: no data set is called ''. ", "or the path of a YAML file."),
    ],
)
def test_a_name_that_is_not_in_the_catalog(args, start, end):
    said = refusal(*args)
    assert said.startswith(start)
    assert said.endswith(end)
    assert ", ".join(catalog.names(args[0])) in said
