"""JSON is read record by record, and comes to what the whole text says, wherever the batches end."""

import json

import pytest

from lakehouse_assets.parsing import json_records, json_text
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.json_text import read_json

RECORDS = b"""
 {"a": 1, "b": "x"} , 7 ,{"b": null, "late": [1.50, {"c": 2e1}]},
\t{"a": 6.0, "a": 7} , "text",{"": "no name", "\\ud800": "\\ud800"},{},null , [1, "1"] , {"a": true}
"""
COLUMNS = {
    "a": ["1", None, None, "7", None, None, None, None, None, "true"],
    "b": ["x", *[None] * 9],
    "late": [None, None, '[1.50, {"c": 20}]', *[None] * 7],
    "": [*[None] * 5, "no name", *[None] * 4],
    "\\ud800": [*[None] * 5, "\\ud800", *[None] * 4],
}
PROBLEMS = [
    None, "the record is a number, not a JSON object", None, "the record has a field twice",
    "the record is a string, not a JSON object", "a value is no Unicode text", None,
    "the record is null, not a JSON object", "the record is an array, not a JSON object", None,
]  # fmt: skip
EXTRAS = [None, "7", None, None, "text", None, None, None, '[1, "1"]', None]


@pytest.mark.parametrize("cells", [1, 5, 17, 2**18])
def test_an_array_comes_to_its_elements_wherever_a_batch_ends(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(json_text, "_CELLS_AT_ONCE", cells)
    for text in (b"[" + RECORDS + b"]", b"[" + RECORDS.strip() + b" ]"):
        found = read_json(text)
        assert found.problems is not None
        assert found.extras is not None
        assert {name: found.frame[name].to_list() for name in found.frame.columns} == COLUMNS
        assert found.problems.to_list() == PROBLEMS
        assert found.extras.to_list() == EXTRAS


@pytest.mark.parametrize("cells", [pytest.param(1, marks=pytest.mark.slow), 2**18])
def test_lines_come_to_the_same_as_an_array_of_them(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(json_text, "_CELLS_AT_ONCE", cells)
    records = [json.dumps({f"n{at % 7}": str(at), "k": "v" if at % 3 else None}) for at in range(200)]
    lines, array = read_json("\n\r\n".join(records).encode()), read_json(f"[{','.join(records)}]".encode())
    assert lines.frame.equals(array.frame)
    assert lines.frame.height == 200


@pytest.mark.parametrize("text", ["[", "[1", "[1,", "[1 2]", "[1]]", "[]x", '[{"a": 1}', '[{"a" 1}]', "[1,\n2,\nx]"])
def test_a_damaged_array_is_rejected_in_the_words_of_the_parser(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as said:
        json.loads(text)
    with pytest.raises(Rejection) as rejection:
        read_json(text.encode())
    assert str(rejection.value) == f"the JSON array cannot be read ({said.value}); land it again, whole."


@pytest.mark.parametrize("text", ["[]", "[ ]", "[\n]  "])
def test_an_empty_array_has_no_records_and_no_fields(text: str) -> None:
    found = read_json(text.encode())
    assert found.frame.shape == (0, 0)
    assert found.problems is not None
    assert found.problems.to_list() == []


@pytest.mark.parametrize("characters", [1, 40, 2**16])
@pytest.mark.parametrize("between", ["", " ", "\n", "\r\n\n", " \t"])
def test_objects_one_after_the_other_are_records_like_lines(
    monkeypatch: pytest.MonkeyPatch, between: str, characters: int
) -> None:
    monkeypatch.setattr(json_records, "_CHARACTERS_AT_ONCE", characters)
    records = [json.dumps({"id": at, "text": '}{ "', "in": {"a": [1.50]}}) for at in range(50)]
    lines, stream = read_json("\n".join(records).encode()), read_json(between.join(records).encode())
    assert stream.frame.equals(lines.frame)
    assert stream.frame.height == 50
    assert stream.problems is not None
    assert stream.problems.null_count() == 50


@pytest.mark.parametrize("characters", [1, 2**16])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"id": 1,}', "Expecting property name enclosed in double quotes"),
        ('{"id": {"a": 1} {"b": 2}}', "Expecting ',' delimiter: line 1 column 17 (char 16)"),
        ('{"id": 1}, ', "Extra data: line 1 column 10 (char 9)"),
        ('{"id": "1', "Expecting ',' delimiter"),
        ("{" * 2, "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ],
)
def test_a_bad_piece_of_a_stream_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, bad: str, reason: str, characters: int
) -> None:
    monkeypatch.setattr(json_records, "_CHARACTERS_AT_ONCE", characters)
    found = read_json(('{"id": "a"}{"id": "b"}' + bad + '{"id": "c"}{"id": "d"}').encode())
    assert found.problems is not None
    assert found.extras is not None
    at = [place for place, problem in enumerate(found.problems) if problem]
    assert reason in found.problems[at[0]]
    assert found.extras[at[0]].startswith(bad)  # with the next one, where the text does not say where it ends
    assert found.frame["id"].to_list()[:2] == ["a", "b"]
    assert found.frame["id"].to_list()[-1] == "d"
    assert len(at) == 1


def test_objects_that_have_lines_of_their_own_follow_each_other() -> None:
    found = read_json("".join(json.dumps({"id": at, "in": {}}, indent=1) for at in range(3)).encode())
    assert found.frame["id"].to_list() == ["0", "1", "2"]


@pytest.mark.slow
def test_many_bad_pieces_cost_what_they_are_long() -> None:
    found = read_json(b'{"id": 1}' + b'{"id":}' * 100_000)
    assert found.problems is not None
    assert found.problems.null_count() == 1
    assert found.frame.height == 100_001
