import json

import numpy as np
import pytest

from core.errors import DatasetError
from core.labels import ClassLabel
from workers.ml.zero_shot import Answer, ZeroShot, map_classes, match_classes, zero_shot

# As Keras names them; ImageNet has two classes that are called "crane".
IMAGENET = tuple(
    ClassLabel(label, label_id)
    for label_id, label in [
        ("n02219486", "ant"),
        ("n02206856", "bee"),
        ("n04153751", "screw"),
        ("n02012849", "crane"),
        ("n03126707", "crane"),
        ("n02504458", "African_elephant"),
        ("n02924116", "school_bus"),
        ("n04356056", "sunglasses"),
        ("n02276258", "admiral"),
        ("n02281406", "sulphur_butterfly"),
    ]
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ant", (0,)),
        ("ants", (0,)),
        ("BEES", (1,)),
        ("Screw", (2,)),
        ("crane", (3, 4)),
        ("n03126707", (4,)),
        ("african-elephants", (5,)),
        ("School  Buses", (6,)),
        ("sunglass", (7,)),
        ("sulphur butterflies", (9,)),
    ],
)
def test_a_class_is_found_whatever_its_case_plural_and_separators(name, expected):
    assert match_classes([name], IMAGENET) == {0: expected}


@pytest.mark.parametrize("name", ["Hat", "an", "bus", "elephant", "", "n0315375", "antss"])
def test_a_class_that_imagenet_does_not_have_matches_nothing(name):
    assert match_classes([name], IMAGENET) == {}


def test_the_closest_spelling_wins():
    labels = [ClassLabel("ant", "0"), ClassLabel("ants", "1"), ClassLabel("Ants", "2")]

    assert match_classes(["ant", "ants", "Ants", "ANTS"], labels) == {0: (0,), 1: (1,), 2: (2,), 3: (1, 2)}


def test_the_position_of_a_class_is_not_its_name():
    assert match_classes(["1"], [ClassLabel("cat", "0"), ClassLabel("dog", "1")]) == {}


def test_zero_shot_counts_first_answers_and_measures_where_every_class_is_known():
    true = np.array([0, 0, 0, 0, 1, 1])
    answers = np.array([[0, 1], [0, 1], [8, 0], [9, 0], [1, 0], [0, 1]])

    found = zero_shot(true, answers, ["ants", "bees"], IMAGENET)

    ants, bees = found.classes
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.unmatched == ()
    assert (ants.label, ants.num_images, ants.matches) == ("ants", 4, ("ant",))
    assert ants.answers == (Answer("ant", 2), Answer("admiral", 1), Answer("sulphur_butterfly", 1))
    assert bees.answers == (Answer("ant", 1), Answer("bee", 1))


def test_any_of_two_classes_of_one_name_is_right():
    found = zero_shot(np.array([0, 0, 0]), np.array([[3], [4], [5]]), ["Cranes"], IMAGENET)

    assert found.accuracy == pytest.approx(2 / 3)


def test_only_the_three_most_frequent_answers_are_kept():
    answers = np.array([[0]] * 4 + [[1]] * 3 + [[2]] * 2 + [[5]])

    found = zero_shot(np.zeros(10, int), answers, ["ant"], IMAGENET)

    assert [answer.num_images for answer in found.classes[0].answers] == [4, 3, 2]


def test_without_a_match_for_every_class_there_is_no_accuracy_but_the_answers():
    found = zero_shot(np.array([0, 1]), np.array([[2], [7]]), ["Screw", "Hat"], IMAGENET)

    assert found.accuracy is None
    assert found.unmatched == ("Hat",)
    assert found.classes[1].matches == ()
    assert found.classes[1].answers == (Answer("sunglasses", 1),)


def test_a_zero_shot_survives_json():
    found = zero_shot(np.array([0, 1]), np.array([[2], [7]]), ["Screw", "Hat"], IMAGENET)

    assert ZeroShot.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_answers_to_other_images_are_refused():
    with pytest.raises(ValueError, match=r"received \(2,\) and \(3, 1\)"):
        zero_shot(np.array([0, 1]), np.array([[2], [7], [1]]), ["Screw", "Hat"], IMAGENET)


def test_a_datasets_classes_are_found_among_a_models():
    labels = [ClassLabel("bees", "0"), ClassLabel("ants", "1")]

    assert map_classes(["ants", "Bee"], labels) == [1, 0]


def test_classes_that_the_model_does_not_know_are_named_with_the_nearest_that_it_does():
    with pytest.raises(
        DatasetError, match=r"does not know 'antz' \(nearest: ant\), 'Torch'\. It knows ant, bee, screw"
    ):
        map_classes(["antz", "bees", "Torch"], IMAGENET[:3])


def test_of_many_unknown_classes_and_labels_ten_are_listed():
    labels = [ClassLabel(f"label {index}", str(index)) for index in range(1000)]
    with pytest.raises(
        DatasetError, match=r"'q9' and 2 more\. It knows label 0, .*, label 9, … \(1000 in all\)\. Call"
    ):
        map_classes([f"q{index}" for index in range(12)], labels)


def test_a_class_that_could_be_two_of_the_models_is_an_error_that_names_their_ids():
    with pytest.raises(DatasetError, match=r"2 classes called 'crane'.* n02012849 or n03126707"):
        map_classes(["crane"], IMAGENET)


def test_imagenets_own_names_and_ids_lead_to_themselves(test_data):
    index = json.loads((test_data / "keras" / "models" / "imagenet_class_index.json").read_text())
    labels = [ClassLabel(index[str(position)][1], index[str(position)][0]) for position in range(1000)]

    assert map_classes([label.label_id for label in labels], labels) == list(range(1000))
    matches = match_classes([label.label for label in labels], labels)
    assert all(position in matches[position] for position in range(1000))
    assert {labels[found[0]].label for found in matches.values() if len(found) > 1} == {"crane", "maillot"}
