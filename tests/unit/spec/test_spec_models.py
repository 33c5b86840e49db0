"""aiModels.json: go-livepeer's files are taken unchanged, and every trap in them is told."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from spec_samples import ADDRESS_A

from reconciler.core.values import Severity
from reconciler.spec.json_reader import read_json
from reconciler.spec.load import examine_models_alone
from reconciler.spec.models import build_models, fold_keys
from reconciler.spec.prices import Currency, Price

SEED = {
    "pipeline": "text-to-image",
    "model_id": "ByteDance/SDXL-Lightning",
    "price_per_unit": 5,
    "warm": True,
}


def entry(**changes):
    return {**SEED, **changes}


def told(tmp_path, content, severity=Severity.ERROR):
    path = tmp_path / "aiModels.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return [one.summary for one in examine_models_alone(path).diagnostics if one.severity is severity]


def built(content):
    return build_models(fold_keys(read_json(json.dumps(content), "m.json")[0].root), Path())


@pytest.mark.parametrize(
    "content",
    [
        [],
        [SEED],
        [entry(optimization_flags={"SFAST": True, "MAX": "4096"})],
        [entry(url="http://llm-runner:8000", token="${env:T}", capacity=8)],
        [SEED, entry(gateway=ADDRESS_A, price_per_unit=4)],
        [entry(price_per_unit=0.18, pixels_per_unit=1000000, currency="USD")],
        [entry(price_per_unit="0.5e-2USD")],
        [{key.upper(): value for key, value in SEED.items()}],
        [entry(warm=False, capacity=0)],
    ],
)
def test_files_of_go_livepeer_are_taken_without_a_word(tmp_path, content):
    assert told(tmp_path, content) == []
    assert told(tmp_path, content, Severity.WARNING) == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"price_per_unit": None}, "[0].price_per_unit: nothing is not a number or a text"),
        ({"optimization_flags": {"MAX_MODEL_LEN": 4096}}, "4096 is not a text or true or false"),
        ({"pipeline": "text-to-imge"}, "'text-to-imge' is not one of"),
        ({"pixels_per_unit": 0.5}, "0.5 is not a whole number"),
        ({"pixels_per_unit": 0}, "0 is less than 1"),
        ({"price_per_unit": -1}, "-1 is less than 0"),
        ({"price_per_unit": "5 USD"}, "'5 USD' is not a price"),
        ({"price_per_unit": "5XYZ"}, "has the currency 'XYZ'"),
        ({"price_per_unit": "5USD", "currency": "eth"}, "price_per_unit is in USD, currency says eth"),
        ({"capacity": -1}, "-1 is less than 0"),
        ({"currency": "EUR"}, "[0].currency"),
        ({"gateway": "0x12"}, "'0x12' has 2 hexadecimal digits"),
        ({"model_id": ""}, "the text is empty"),
        ({"url": "llm:8000"}, "does not have the right form"),
        ({"warm": "yes"}, "'yes' is not true or false"),
    ],
)
def test_each_mistake_has_its_own_message(tmp_path, changes, part):
    found = told(tmp_path, [entry(**changes)])
    assert len(found) == 1, found
    assert part in found[0]


def test_a_capacity_with_a_point_is_not_a_whole_number(tmp_path):
    text = json.dumps([SEED]).replace('"warm"', '"capacity": 1.0, "warm"')
    assert told(tmp_path, text) == ["[0].capacity: 1.0 is not a whole number"]


def test_one_model_is_not_warm_and_cold(tmp_path):
    assert told(tmp_path, [SEED, entry(warm=False)]) == [
        "'text-to-image/ByteDance/SDXL-Lightning' is declared warm and cold"
    ]


def test_a_price_for_a_gateway_may_leave_warm_out(tmp_path):
    row = {key: value for key, value in entry(gateway=ADDRESS_A).items() if key != "warm"}
    assert told(tmp_path, [SEED, row]) == []


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ([entry(modle_id="x")], "unknown key 'modle_id' under [0]"),
        ([entry(token="hunter2", url="http://x:1")], "the token of 'text-to-image/ByteDance/SDXL-Lightning'"),
        ([entry(warm=False, optimization_flags={"SFAST": True})], "optimization_flags of the cold model"),
        ([entry(price_per_unit=5 * 10**15)], "5·10^15 wei per pixel = 5,243 ETH per megapixel image"),
    ],
)
def test_what_go_livepeer_passes_over_in_silence_is_a_warning(tmp_path, content, part):
    assert told(tmp_path, content) == []
    (warning,) = told(tmp_path, content, Severity.WARNING)
    assert part in warning
    assert "hunter2" not in warning


def test_both_forms_of_a_price_are_exact():
    first, second, third = built(
        [
            entry(price_per_unit=0.18, pixels_per_unit=1000000, currency="usd"),
            entry(price_per_unit="0.5e-2USD"),
            entry(price_per_unit=1e-9, currency="ETH"),
        ]
    )
    assert first.price == Price(Fraction(18, 10**8), Currency.USD)
    assert second.price == Price(Fraction(5, 1000), Currency.USD)
    assert third.price == Price(Fraction(10**9), Currency.WEI)


def test_absent_values_have_their_meaning():
    (model,) = built([{"pipeline": "llm", "model_id": "x"}])
    assert (model.price, model.gateway, model.url, model.warm, model.capacity) == (None, None, None, False, 1)
    assert model.key == "llm/x"


def test_a_file_that_is_no_list_is_told(tmp_path):
    assert told(tmp_path, "{}") == ["the file: a map is not a list"]
