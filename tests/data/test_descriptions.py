"""The classes' descriptions, verbs and nouns: every limit that `datasets/descriptions/README.md` states."""

import csv
import re
from itertools import combinations

import pytest

from scople.data.class_names import load_classes

SETS = {"msr": 20, "ntu120": 120, "pku": 51}

PARTS = ["head", "hands", "arms", "torso", "legs", "feet"]
PHASES = ["beginning", "middle", "end"]
FIELDS = [*PARTS, *PHASES, "whole"]

STILL = "stay still"
OTHER = ", the other "

VERBS_LIKE_OTHER_FORMS = {"bring", "cross", "fling", "fly", "press", "spring", "swing", "toss", "wring"}

UNSHOWN = set(
    "bag ball basket book bottle box camera cap chair clothes coin comb cream cube fan food glass glasses gun hat "
    "headphone headphones jacket keyboard knife money nail nails page paper pen phone photo pocket scissors screen "
    "shirt shoe shoes stapler table tablet towel water weapon "
    "angrily anger cry fear frown gaze grin happily joy laugh pain sad smile speak talk".split()
)
"""Objects, and what only a face or a voice tells."""

WRAPPED = {
    **{part: f"a cropped video of people's {part} motions that {{{part}}}" for part in PARTS},
    "hands and arms": "a cropped video of people's hands motions that {hands}; {arms}",
    "legs and feet": "a cropped video of people's legs motions that {legs}; {feet}",
    **{phase: f"a trimmed video of the motion that {{{phase}}}" for phase in PHASES},
    "whole": "a video of people's motion that {whole}",
    **{f"name and {part}": f"{{name}},{part.capitalize()}: {{{part}}}" for part in PARTS},
}
"""The longest sentences that the methods make of a row."""


def read(path):
    with path.open(newline="", encoding="ascii") as file:
        return list(csv.DictReader(file, strict=True))


def stem(word):
    """A word without its ending, near enough to find "waving" in "wave"."""
    for ending in ("'s", "'", "ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls" else word


def stems(text):
    return {stem(word) for word in re.findall(r"[a-z0-9'-]+", text.lower())}


def repeats_name(name, text):
    """Whether all words of a name, or of one of its alternatives, stand in a text; remarks in brackets are no name."""
    fillers = {"a", "an", "at", "in", "of", "the", "to", "with"}
    alternatives = re.sub(r"\(.*?\)", "", name).split("/")
    return any(stems(alternative) - fillers <= stems(text) for alternative in alternatives)


@pytest.fixture(scope="module", params=SETS)
def shipped(request):
    return request.param


@pytest.fixture(scope="module")
def classes(root, shipped):
    return load_classes(root / f"datasets/classes/{shipped}.csv")


@pytest.fixture(scope="module")
def rows(root, shipped):
    return read(root / f"datasets/descriptions/{shipped}.csv")


def texts(rows):
    """Every text with where it stands."""
    return [
        (f"{row['id']} {row['name']}, {field}: {row[field]!r}", field, row[field]) for row in rows for field in FIELDS
    ]


def test_every_class_in_its_order(classes, rows, shipped):
    assert len(rows) == SETS[shipped]
    assert [(row["id"], row["name"]) for row in rows] == [(str(entry.number), entry.name) for entry in classes]
    assert all(list(row) == ["id", "name", *FIELDS] for row in rows)


def test_no_other_file(root):
    assert {path.stem for path in (root / "datasets/descriptions").glob("*.csv")} == set(SETS)


def test_lengths(classes, rows):
    two_person = {str(entry.number) for entry in classes if entry.two_person}
    for row in rows:
        most = 13 if row["id"] in two_person else 8
        for field in FIELDS:
            words = len(row[field].split())
            fits = 8 <= words <= 15 if field == "whole" else 4 <= words <= most
            assert fits or (field in PARTS and row[field] == STILL), (row["name"], field, row[field])
        assert any(row[part] != STILL for part in PARTS), row["name"]


def test_letters_and_marks(rows):
    """Small letters, single blanks, commas with a blank after them, hyphens and apostrophes inside words."""
    word = r"[a-z]+(['-][a-z]+)*"
    for where, _, text in texts(rows):
        assert re.fullmatch(rf"{word}(,? {word})*", text), where


def test_a_text_begins_with_a_plain_verb(rows):
    """Near enough: neither "raises", "raising", "slowly" nor "the hand"."""
    for where, _, text in texts(rows):
        first = text.split()[0].rstrip(",")
        assert first in VERBS_LIKE_OTHER_FORMS or not first.endswith(("ing", "s", "ly")), where
        assert first not in {"a", "an", "the", "one", "both", "two", "with", "to", "in", "then"}, where


def test_two_people_are_both_described(classes, rows):
    for entry, row in zip(classes, rows, strict=True):
        for where, field, text in texts([row]):
            if entry.two_person:
                assert text.count(OTHER) == 1 or (field in PARTS and text == STILL), where
            else:
                assert "the other" not in text, where


def test_no_text_repeats_the_name_of_its_class(rows):
    for row in rows:
        for where, _, text in texts([row]):
            assert not repeats_name(row["name"], text), where


def test_what_counts_as_the_name():
    assert repeats_name("hand waving", "wave the hands")
    assert repeats_name("eat meal/snack", "eat the meal")
    assert repeats_name("nod head/bow", "bow")
    assert repeats_name("hopping (one foot jumping)", "hop on the spot")
    assert not repeats_name("shake head", "shake a fist")


def test_nothing_that_a_skeleton_cannot_show(rows):
    for where, _, text in texts(rows):
        assert not UNSHOWN & set(re.findall(r"[a-z]+", text)), where


def test_classes_can_be_told_apart(rows):
    for one, two in combinations(rows, 2):
        pair = (one["name"], two["name"])
        assert sum(one[field] != two[field] for field in FIELDS) >= 6, pair
        assert one["whole"] != two["whole"], pair
        assert [one[part] for part in PARTS] != [two[part] for part in PARTS], pair
        assert [one[phase] for phase in PHASES] != [two[phase] for phase in PHASES], pair


def test_sentences_fit_into_the_text_encoder(rows):
    from scople.text.torchvision_operators import declare_torchvision_operators

    declare_torchvision_operators()
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    for row in rows:
        for kind, sentence in WRAPPED.items():
            tokens = len(tokenizer.encode(sentence.format(**row))) + 2  # start and end
            assert tokens <= 77, (row["name"], kind)


@pytest.mark.parametrize("folder", ["descriptions", "descriptions/verb_noun"])
def test_a_name_means_the_same_in_every_set(root, folder):
    seen = {}
    for path in sorted((root / "datasets" / folder).glob("*.csv")):
        for row in read(path):
            text = {key: value for key, value in row.items() if key != "id"}
            assert seen.setdefault(row["name"], text) == text, (path.stem, row["name"])


def test_ntu60_begins_ntu120(root):
    sixty, all_of_them = (load_classes(root / f"datasets/classes/{name}.csv") for name in ("ntu60", "ntu120"))
    assert sixty == all_of_them[:60]


@pytest.mark.parametrize("name", ["msr", "ntu120", "pku"])
def test_verbs_and_nouns(root, name):
    classes = load_classes(root / f"datasets/classes/{name}.csv")
    rows = read(root / f"datasets/descriptions/verb_noun/{name}.csv")
    assert [(row["id"], row["name"]) for row in rows] == [(str(entry.number), entry.name) for entry in classes]
    assert all(list(row) == ["id", "name", "verb", "noun"] for row in rows)
    for row in rows:
        assert re.fullmatch(r"[a-z]+( [a-z]+)*", row["verb"]), row
        assert re.fullmatch(r"[a-z]+( [a-z]+)*|#", row["noun"]), row
    assert len({(row["verb"], row["noun"]) for row in rows}) == len(rows)


def test_synse_table(root):
    """Its counts as they are known: 88 verbs, 70 nouns with "#" among them, 17 classes without one."""
    rows = read(root / "datasets/descriptions/verb_noun/ntu120.csv")
    nouns = [row["noun"] for row in rows]
    assert (len({row["verb"] for row in rows}), len(set(nouns)), nouns.count("#")) == (88, 70, 17)
