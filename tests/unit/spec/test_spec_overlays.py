"""Files lie on files: extends, -f, circles, limits, and what null does."""

from __future__ import annotations

import os

import pytest
from spec_samples import SMALLEST, errors, findings, warnings, write

from reconciler.spec.documents import MOST_BYTES
from reconciler.spec.load import check, load


def test_bases_lie_below_in_order_and_the_file_wins(tmp_path):
    path = write(
        tmp_path,
        nodes__fra_yaml="extends: [../base.yaml, ../eu.yaml]\nname: fra\n" + SMALLEST,
        base_yaml="name: base\nlog: debug\nvideo: {preset: fast, sessions: 3}\n",
        eu_yaml="video: {preset: slow}\nlog: error\n",
    )
    declared = load([path])
    assert (declared.name, declared.log, declared.video.preset, declared.video.sessions) == (
        "fra",
        "error",
        "slow",
        3,
    )
    assert str(declared.source("video.preset")).endswith("eu.yaml:1")
    assert [file.name for file in declared.files] == ["fra.yaml", "base.yaml", "eu.yaml"]


def test_one_base_needs_no_list(tmp_path):
    path = write(tmp_path, a_yaml="extends: b.yaml\n" + SMALLEST, b_yaml="name: from-b\n")
    assert load([path]).name == "from-b"


def test_files_named_together_lie_on_each_other(tmp_path):
    write(tmp_path, a_yaml=SMALLEST + "name: a\nlog: debug\n", b_yaml="name: b\n")
    declared = load([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert (declared.name, declared.log) == ("b", "debug")


def test_null_removes_what_lies_below(tmp_path):
    path = write(
        tmp_path,
        a_yaml="extends: b.yaml\npricing: null\ngateways: {x: null}\n" + SMALLEST,
        b_yaml=f"pricing: {{video: 5 wei}}\ngateways: {{x: {{address: 0x{'a' * 40}}}}}\n",
    )
    declared = load([path])
    assert declared.pricing.video is None
    assert declared.gateways == ()
    assert not declared.warnings


def test_after_a_removal_nothing_below_shows_through(tmp_path):
    write(
        tmp_path,
        a_yaml=SMALLEST + "video: {sessions: 3, preset: fast}\n",
        b_yaml="video: null\n",
        c_yaml="video: {preset: slow}\n",
    )
    declared = load([tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml")])
    assert declared.video.preset == "slow"
    assert not declared.declares("video.sessions")


def test_lists_of_named_items_join_by_name(tmp_path):
    path = write(
        tmp_path,
        a_yaml="extends: b.yaml\n"
        "workers: {list: [{name: y, kind: transcoder}, {name: z, kind: transcoder}]}\n" + SMALLEST,
        b_yaml="workers:\n"
        "  list: [{name: x, kind: transcoder}, {name: y, kind: ai-worker, missingAfter: 5m}]\n",
    )
    workers = load([path]).workers
    assert [(item["name"], item["kind"]) for item in workers["list"]] == [
        ("x", "transcoder"),
        ("y", "transcoder"),
        ("z", "transcoder"),
    ]
    assert workers["list"][1]["missingAfter"] == "5m"


def test_other_lists_replace(tmp_path):
    path = write(
        tmp_path,
        a_yaml="extends: b.yaml\nautomation: {protect: [stake.decrease]}\n" + SMALLEST,
        b_yaml="automation: {protect: [registration.resign, stake.withdraw]}\n",
    )
    assert load([path]).automation.protect == ("stake.decrease",)


def test_a_null_in_a_lone_file_is_most_likely_a_forgotten_value(tmp_path):
    assert warnings(tmp_path, SMALLEST + "paths:\n") == ["3:7 paths has no value"]


def test_circles_are_told_where_they_close(tmp_path):
    assert errors(tmp_path, "extends: b.yaml\n" + SMALLEST, b_yaml="extends: node.yaml\n") == [
        f"1:10 circle in extends: {tmp_path}/node.yaml -> {tmp_path}/b.yaml -> {tmp_path}/node.yaml"
    ]


def test_a_base_used_twice_is_read_once(tmp_path):
    path = write(
        tmp_path,
        a_yaml="extends: [b.yaml, c.yaml]\n" + SMALLEST,
        b_yaml="extends: d.yaml\n",
        c_yaml="extends: d.yaml\n",
        d_yaml="nmae: x\n",
    )
    declaration, found = check([path])
    assert declaration is None
    assert [one.summary for one in found] == ["unknown key 'nmae'"]


def test_a_missing_base_is_told_at_the_line_that_names_it(tmp_path):
    (message,) = errors(tmp_path, SMALLEST + "extends: [gone.yaml]\n")
    assert message.startswith("3:11 ")
    assert "gone.yaml cannot be read: No such file" in message


def test_a_broken_base_does_not_make_up_missing_keys(tmp_path):
    found = errors(
        tmp_path, "extends: b.yaml\nservice: {admission: opne}\n", b_yaml="service: {uri: 'https://a:1'\n"
    )
    assert [one for one in found if "missing" in one] == []
    assert any("not YAML" in one for one in found)
    assert any("'opne' is not one of" in one for one in found)


@pytest.mark.parametrize("extends", ["5", "[[a]]", "{a: b}", "[a.yaml, 5]"])
def test_extends_takes_paths_only(tmp_path, extends):
    assert errors(tmp_path, f"extends: {extends}\n{SMALLEST}")[0].startswith("1:")


def test_large_files_are_not_read(tmp_path):
    assert "is larger than 1024 KiB" in errors(tmp_path, SMALLEST + "#" * MOST_BYTES)[0]


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "is not a regular file" in check([tmp_path / "pipe.yaml"])[1][0].summary
    assert "cannot be read: Is a directory" in check([tmp_path])[1][0].summary


def test_files_are_utf8(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe4\n")
    assert "is not UTF-8 text (byte 6)" in check([tmp_path / "latin.yaml"])[1][0].summary


def test_an_empty_file_declares_nothing(tmp_path):
    assert errors(tmp_path, "# nothing\n")[0].endswith("node.yaml declares nothing")


def test_a_file_that_is_no_map_is_told_so(tmp_path):
    assert errors(tmp_path, "- a\n- b\n") == ["1:1 the file: a list is not a map"]
    assert "write instead: a map with the keys" in findings(tmp_path, "just text\n")[0].detail
