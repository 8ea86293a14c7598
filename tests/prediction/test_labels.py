"""Labels as people write them."""

import pytest

from scople.base.errors import ScopleError
from scople.prediction.labels import load_labels


def test_a_list_with_commas():
    assert load_labels(" wave , sit down,clap, ") == {"wave": "wave", "sit down": "sit down", "clap": "clap"}


def test_a_label_with_a_comma_stands_in_quotation_marks():
    assert list(load_labels('"sit, down", clap')) == ["sit, down", "clap"]
    assert list(load_labels("say \"hi\", 'sit', clap")) == ['say "hi"', "'sit'", "clap"]


def test_a_file_with_another_ending_is_no_label(tmp_path):
    path = tmp_path / "l.md"
    path.write_text("wave\nclap\n")
    with pytest.raises(ScopleError, match=r"neither \.txt nor \.csv"):
        load_labels(str(path))


def test_a_text_file_has_a_label_on_each_line(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("wave\n\n  put on, then take off\n")
    assert list(load_labels(str(path))) == ["wave", "put on, then take off"]


def test_a_table_may_describe_some_labels(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text('number,label,description\n1,wave,"raise a hand, move it"\n2,clap,\n')
    assert load_labels(str(path)) == {"wave": "raise a hand, move it", "clap": "clap"}


def test_a_template_goes_around_each(tmp_path):
    assert load_labels("wave, clap", "a person: {}.") == {"wave": "a person: wave.", "clap": "a person: clap."}
    path = tmp_path / "names.csv"
    path.write_text("label,description\nwave,raise a hand\nclap,\n")
    assert list(load_labels(str(path), "do {}").values()) == ["do raise a hand", "do clap"]


@pytest.mark.parametrize(
    ("given", "template", "words"),
    [
        ("wave", "{}", "1 labels leave nothing"),
        ("", "{}", "0 labels"),
        ("wave, clap, wave", "{}", "'wave' is given twice"),
        ("wave, clap", "no place", "'no place'"),
        ("wave, clap", "{} and {}", "one {}"),
        ("wave, cl\x07ap", "{}", "can be printed"),
        ("wave, cl\nap", "{}", "cannot be told apart"),
        ('"wave, clap', "{}", "close each quotation mark"),
        ("wave, " + 2001 * "a", "{}", "1 to 2000"),
        ("missing.txt", "{}", "missing.txt cannot be read"),
        ("missing.csv", "{}", "missing.csv cannot be read"),
    ],
)
def test_what_is_refused(given, template, words):
    with pytest.raises(ScopleError, match=".") as caught:
        load_labels(given, template)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "need one that is called label"),
        ("name\nwave\nclap\n", "the columns name"),
        ("label,description\nwave\nclap,x\n", "label 1"),
        ("label\nput on, take off\nclap\n", "quotation marks"),
        ('label\n"wave\n', "cannot be read as CSV"),
        ("label,description\n,x\nclap,\n", "1 to 2000"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, words):
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(ScopleError) as caught:
        load_labels(str(path))
    assert words in str(caught.value)
