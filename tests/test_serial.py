"""Strict reading, safe writing."""

import errno
import json
import math
import os
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from hffm_opt.errors import InputError
from hffm_opt.scenario.model import Frozen
from hffm_opt.serial import check_writable, dump_json, dump_yaml, parse_text, read_text, validate, write_text


class Inner(Frozen):
    size_bit: int = 0
    tags: tuple[str, ...] = ()


class Outer(Frozen):
    label: str
    power_w: float = 1.0
    count: int = 0
    flag: bool = False
    parts: tuple[Inner, ...] = ()
    table: dict[str, int] = Field(default_factory=dict)


def findings_of(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return caught.value.findings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e9", 1e9),
        ("1E+9", 1e9),
        ("-2.5e-3", -2.5e-3),
        ("1.", 1.0),
        (".5", 0.5),
        ("7", 7),
        ("-12", -12),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        # Texts that YAML 1.1 takes for something else.
        ("no", "no"),
        ("off", "off"),
        ("Yes", "Yes"),
        ("2020-01-01", "2020-01-01"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("'1e9'", "1e9"),
        ("1e9 Hz", "1e9 Hz"),
        ("e9", "e9"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars(text, value):
    (read,) = parse_text(f"a: {text}", "f").values()
    assert read == value
    assert type(read) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back(value):
    assert parse_text(f"a: {value!r}", "f") == {"a": value}


def test_json_is_read_too():
    data = {"a": [1, 2.5, None, True, "no", {"b": "1e9"}], "c": 1e-28}
    assert parse_text(json.dumps(data), "f") == data


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f, line 3, column 1", "key 'a' stands here twice"),
        ("x:\n  - {p: 1, p: 2}\n", "f, line 2, column 12", "key 'p' stands here twice"),
        ('{"a": 1, "a": 2}', "f, line 1, column 10", "key 'a' stands here twice"),
        ("1: a\n'1': b\n", "f, line 2, column 1", "key '1' stands here twice"),
        ("[1]: 2\n", "f, line 1, column 1", "a key must be a text"),
        ("a: [1, 2\nb: 3\n", "f, line 2, column 2", "expected ',' or ']', but got ':'"),
        ('a: "unclosed\n', "f, line 2, column 1", "found unexpected end of stream"),
        ("a:\n\t- 1\n", "f, line 2, column 1", "cannot start any token"),
        ("a: *nobody\n", "f, line 1, column 4", "found undefined alias 'nobody'"),
        ("a: !!python/object:os.system {}\n", "f, line 1, column 4", "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "f, line 2, column 1", "but found another document"),
        ("a: \x07\n", "f", "not valid YAML or JSON"),
        ("[" * 3000, "f", "nested too deeply"),
    ],
)
def test_faulty_text_is_refused_with_its_place(text, path, message):
    (finding,) = findings_of(parse_text, text, "f")
    assert finding.path == path
    assert message in finding.message
    assert finding.repair


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_truncated_files_are_refused(cut):
    text = dump_json(Outer(label="x", parts=(Inner(size_bit=1), Inner(size_bit=2))))
    findings_of(parse_text, text[: int(cut * len(text))], "f")


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
def test_non_finite_numbers_are_refused_with_their_path(number):
    data = parse_text(f"label: x\npower_w: {number}\nparts:\n  - {{size_bit: {number}}}\n", "f")
    found = findings_of(validate, data, Outer, "thing")
    assert [finding.path for finding in found] == ["power_w", "parts[0].size_bit"]
    assert all("is not a finite number" in finding.message for finding in found)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_non_finite_json_is_refused_too(number):
    (finding,) = findings_of(validate, parse_text(f'{{"label": "x", "power_w": {number}}}', "f"), Outer, "thing")
    assert finding.path == "power_w"


@pytest.mark.parametrize(
    ("change", "path", "message", "repair"),
    [
        ({"power_v": 1}, "power_v", "not known", "did you mean 'power_w'?"),
        ({"xyzzy": 1}, "xyzzy", "not known", "remove it"),
        ({"parts": [{"size_bits": 1}]}, "parts[0].size_bits", "not known", "did you mean 'size_bit'?"),
        ({"label": None}, "label", "valid string", "quote it"),
        ({"label": 5}, "label", "valid string", "quote it"),
        ({"power_w": "1e9"}, "power_w", "valid number", "without quotes or unit"),
        ({"power_w": True}, "power_w", "valid number", "without quotes"),
        ({"count": 1.5}, "count", "valid integer", "whole number"),
        ({"count": "1"}, "count", "valid integer", "whole number"),
        ({"flag": "no"}, "flag", "valid boolean", "true or false"),
        ({"flag": 1}, "flag", "valid boolean", "true or false"),
        ({"parts": {"size_bit": 1}}, "parts", "valid array", "give a list"),
        ({"parts": [3]}, "parts[0]", "object", "give a mapping"),
        ({"table": [1]}, "table", "object", "give a mapping"),
        ({"table": {"a": "b"}}, "table.a", "valid integer", "whole number"),
    ],
)
def test_wrong_values_are_refused_with_path_and_repair(change, path, message, repair):
    (finding,) = findings_of(validate, {"label": "x"} | change, Outer, "thing")
    assert finding.path == path
    assert message in finding.message
    assert repair in finding.repair


def test_missing_fields_and_all_faults_at_once():
    found = findings_of(validate, {"power_w": "x", "count": 0.5, "surplus": 1}, Outer, "thing")
    assert sorted(finding.path for finding in found) == ["count", "label", "power_w", "surplus"]


@pytest.mark.parametrize("data", [None, 3, "text", [1]])
def test_only_mappings_are_files(data):
    (finding,) = findings_of(validate, data, Outer, "thing")
    assert "a thing is a mapping" in finding.message


def test_an_alias_of_itself_is_refused():
    (finding,) = findings_of(validate, parse_text("label: x\nparts: &p [*p]\n", "f"), Outer, "thing")
    assert "an alias contains itself" in finding.message


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)


@given(TEXTS, st.floats(allow_nan=False, allow_infinity=False), st.dictionaries(TEXTS, st.integers(), max_size=3))
def test_models_round_trip(label, power_w, table):
    model = Outer(label=label, power_w=power_w, table=table, parts=(Inner(size_bit=3, tags=(label, "no", "1e9")),))
    for text in (dump_yaml(model), dump_json(model)):
        assert validate(parse_text(text, "f"), Outer, "thing") == model


@pytest.mark.parametrize(
    "label",
    ["1e9", "010", "no", "null", "~", "", " x", "a: b", "# c", "1.5", "'", "🛰", "x\ny", "\x85", "\u2028", "\ufeff"],
)
def test_texts_that_look_like_something_else_round_trip(label):
    assert parse_text(dump_yaml(Outer(label=label)), "f")["label"] == label


def test_json_has_no_nan():
    class Loose(Frozen):
        model_config = Frozen.model_config | {"allow_inf_nan": True}
        value: float

    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json(Loose(value=math.nan))


def test_reading_names_the_file_and_the_near_miss(tmp_path):
    (tmp_path / "network.yaml").write_text("a: 1")
    (finding,) = findings_of(read_text, tmp_path / "netwrok.yaml", "scenario")
    assert finding.path == str(tmp_path / "netwrok.yaml")
    assert str(tmp_path / "network.yaml") in finding.repair
    (finding,) = findings_of(read_text, tmp_path, "scenario")
    assert "Is a directory" in finding.message
    (finding,) = findings_of(read_text, tmp_path / "none" / "x.yaml", "scenario")
    assert finding.repair == "give the path of an existing scenario file"
    (finding,) = findings_of(read_text, Path("a\0b"), "scenario")
    assert "null byte" in finding.message


def test_binary_files_are_refused(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"ab\xff\xfe")
    (finding,) = findings_of(read_text, tmp_path / "x.yaml", "scenario")
    assert finding.message == "not a text file (byte 2)"


def test_writing_is_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "new" / "plan.json"
    write_text(target, "old")
    assert target.read_text() == "old"

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(target, "new")
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_written_files_have_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    write_text(tmp_path / "ours", "x")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_full_disk_is_told_with_the_path(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "plan.json", "new")
    assert caught.value.filename == str(tmp_path / "plan.json")
    assert list(tmp_path.iterdir()) == []


def test_names_as_long_as_a_file_system_takes_are_written(tmp_path):
    path = tmp_path / ("n" * 255)
    write_text(path, "x")
    assert path.read_text() == "x"


def test_what_a_command_reads_is_not_written_over(tmp_path):
    given, other = tmp_path / "network.yaml", tmp_path / "plan.json"
    given.write_text("a: 1")
    (tmp_path / "link.yaml").symlink_to(given)
    for path in (given, tmp_path / "link.yaml", tmp_path / "no" / ".." / "network.yaml"):
        (finding,) = findings_of(check_writable, path, "tiny", given)
        assert (finding.path, finding.message) == (str(path), "this file is read, and would be lost")
    check_writable(other, "tiny", given, other)
    assert given.read_text() == "a: 1" and not other.exists()


def test_aliases_without_end_are_refused():
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    rows += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in pairwise("abcdefghij")]
    (finding,) = findings_of(parse_text, "\n".join(rows), "f")
    assert "aliases unfold" in finding.message
    assert parse_text("a: &a [1, 2]\nb: *a\n", "f") == {"a": [1, 2], "b": [1, 2]}
