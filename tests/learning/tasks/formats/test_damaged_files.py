"""Files that no publisher would write: each gives one error that names the place, or is left out and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from official_files import FORM, picture_name, source_of, spec_of, write_split

from hffm_opt.errors import InputError
from hffm_opt.learning.tasks.formats import load_source
from hffm_opt.learning.tasks.formats.load import READERS
from hffm_opt.learning.tasks.formats.record import Faults


def change(path: str, edit: Callable[[str], str]) -> None:
    Path(path).write_text(edit(Path(path).read_text()))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda text: text.replace('"q1"', '"q0"'), "broken JSON: the key 'q0' stands twice"),
        (lambda text: text.replace('"n0"', "9" * 5000, 1), "broken JSON: Exceeds the limit"),
        (lambda _: "[" * 200_000, "broken JSON"),
        (lambda text: text.replace('"n0"', "NaN", 1), "record q0: imageId: Input should be a valid string"),
    ],
)
def test_broken_json_is_told_with_its_place(edit: Callable[[str], str], words: str, tmp_path: Path) -> None:
    files = write_split(tmp_path, "gqa", 8)
    change(files.questions, edit)
    source = source_of("gqa", files)
    with pytest.raises(InputError) as caught:
        load_source(spec_of(source), source, FORM)
    assert words in str(caught.value) and files.questions in str(caught.value)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    files = write_split(tmp_path, "gqa", 4).model_copy(update={"questions": str(tmp_path / "a\0b")})
    with pytest.raises(InputError, match="cannot be read"):
        list(READERS["gqa"](files, Faults("refuse")))


@pytest.mark.parametrize("kind", ["vqa-v2", "vqa-cp-v2"])
@pytest.mark.parametrize("which", ["questions", "annotations"])
def test_a_question_id_that_stands_twice_is_named_or_counted(kind: Any, which: str, tmp_path: Path) -> None:
    files = write_split(tmp_path, kind, 8)
    change(
        getattr(files, which),
        lambda text: text.replace('"question_id": 10,', '"question_id": 0,').replace(
            '"question_id": 10}', '"question_id": 0}'
        ),
    )
    faults = Faults("refuse")
    found = list(READERS[kind](files, faults))
    with pytest.raises(InputError, match="record 0: its question_id has stood there before"):
        faults.settle()
    assert faults.counts["broken record"] == 1
    assert len(found) == 7  # without annotations of its own the second question is unknown


def test_half_a_character_is_marked_as_unreadable(tmp_path: Path) -> None:
    files = write_split(tmp_path, "vizwiz", 4)
    data = json.loads(Path(files.questions).read_text())
    data[0]["question"] = "half \ud83d or a whole \U0001f642"
    Path(files.questions).write_text(json.dumps(data))
    assert next(READERS["vizwiz"](files, Faults("refuse"))).question == "half \ufffd or a whole \U0001f642"


@pytest.mark.parametrize("cached", [False, True])
def test_a_picture_that_is_a_link_to_itself_is_told_or_left_out(cached: bool, tmp_path: Path) -> None:
    files, cache = write_split(tmp_path, "aqua", 20), str(tmp_path / "cache") if cached else None
    picture = tmp_path / "images" / picture_name("aqua", 2)
    picture.unlink()
    picture.symlink_to(picture.name)
    source = source_of("aqua", files, faults="skip", cache=cache)
    assert load_source(spec_of(source), source, FORM).skipped == {"broken picture": 2}
    source = source_of("aqua", files, cache=cache)
    task = load_source(spec_of(source), source, FORM)

    def look() -> None:
        for part in (task.train, task.test):
            assert part.images is not None
            part.images[np.arange(len(part))]

    with pytest.raises(InputError, match=picture.name):
        look()


@pytest.mark.parametrize("policy", ["refuse", "skip"])
def test_a_cache_that_takes_nothing_is_told_before_any_picture_is_read(policy: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    source = source_of("aqua", write_split(tmp_path, "aqua", 8), faults=policy, cache=str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match="nothing can be written"):
        load_source(spec_of(source), source, FORM)


def test_a_split_whose_name_is_too_long_for_a_folder_has_no_pictures(tmp_path: Path) -> None:
    files = write_split(tmp_path, "vqa-cp-v2", 4)
    change(files.questions, lambda text: text.replace("val2014", "x" * 400))
    faults = Faults("skip")
    assert not list(READERS["vqa-cp-v2"](files, faults)) and faults.counts["missing picture"] == 4
