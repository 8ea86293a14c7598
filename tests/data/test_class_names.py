"""Class lists: the shipped ones, and what is refused."""

import pytest

from scople.base.errors import ScopleError
from scople.data.class_names import ClassEntry, load_classes, save_classes

HEAD = "id,label,two_person\n"


def test_shipped_lists(root):
    counts = {path.stem: len(load_classes(path)) for path in (root / "datasets/classes").glob("*.csv")}
    assert counts == {"ntu60": 60, "ntu120": 120, "pku": 51, "msr": 20}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as CSV"),
        ("id,label\n1,a\n", "columns id, label, but"),
        (HEAD, "has no class"),
        (HEAD + "2,a,0\n", "class 1 .* has the id '2', but the ids must run 1"),
        (HEAD + "1,a,0\n2,a,0\n", "classes 1 and 2 .* called 'a'"),
        (HEAD + "1, ,0\n", "class 1 .* the name ' '"),
        (HEAD + f"1,{5000 * 'a'},0\n", r"the name 'a{70,}\.\.\., but"),
        (HEAD + '1,"a\nb",0\n', "characters that can be printed"),
        (HEAD + "1,a,maybe\n", "'maybe' under two_person, but must have one of yes, true, 1, no, false, 0"),
        (HEAD + "1,a,\n", "'' under two_person"),
        (HEAD + "1,a,b,0\n", "class 1 .* has 4 fields"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path, text, words):
    path = tmp_path / "classes.csv"
    path.write_text(text)
    with pytest.raises(ScopleError, match=words):
        load_classes(path)


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(ScopleError, match="cannot be read"):
        load_classes(tmp_path / "none.csv")


def test_two_person_is_a_word_of_yes_or_no(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text(HEAD + "".join(f"{k},class {k},{word}\n" for k, word in enumerate(("no", "YES", "False", "1"), 1)))
    assert [entry.two_person for entry in load_classes(path)] == [False, True, False, True]


def test_names_stay_as_written(tmp_path):
    classes = [ClassEntry(1, "001", False), ClassEntry(2, "NA", True), ClassEntry(3, 'say "hi", wave', False)]
    save_classes(classes, tmp_path / "classes.csv")
    assert load_classes(tmp_path / "classes.csv") == classes
