"""From YAML to the runtime's document: prices, gateways, places."""

import jsonschema
import pytest

from reconciler.layout import Layout
from reconciler.serving.capacity import Machine
from reconciler.serving.spec import completed, document
from reconciler.serving.wish import wish_for
from reconciler.spec.load import load as load_declaration
from schemas import load as load_schema
from tests.unit.resources.resources_builders import GIB, NOTHING_AROUND, A, B

TEXT = f"""
apiVersion: livepeer.orchestrator/v1
name: laptop
service: {{uri: "https://127.0.0.1:8935"}}
gpus: none
video: {{preset: faster, sessions: 3}}
pricing: {{video: 1200 wei}}
gateways:
  zulu: {{address: "{A.upper().replace("0X", "0x")}", video: -15%, reserve: {{video: 2}}}}
  alpha: {{address: "{B}"}}
"""


@pytest.fixture
def declared(tmp_path):
    path = tmp_path / "orchestrator.yaml"
    path.write_text(TEXT)
    declaration = load_declaration([path])
    layout = Layout(data=declaration.paths.data, weights=declaration.paths.weights)
    machine = Machine(cpu="test", cores=2, memory_bytes=8 * GIB)
    return wish_for(
        declaration, declaration.service, layout, machine=machine, version="0.1.0", versions="0.1.0"
    )


def test_the_document_is_valid_and_complete(declared):
    found = document(completed(declared.spec(NOTHING_AROUND), None), 1)
    jsonschema.Draft202012Validator(load_schema("runtime-spec")).validate(found)
    assert found["pricing"] == {"video": "1200"}
    assert found["video"]["sessions"] == 3
    assert found["video"]["preset"] == "faster"


def test_a_percentage_is_an_exact_price(declared):
    found = document(completed(declared.spec(NOTHING_AROUND), None), 1)
    assert found["gateways"] == {
        "alpha": {"address": B, "video": None, "reserve": 0},
        "zulu": {"address": A, "video": "1020", "reserve": 2},
    }
    assert declared.relative == {"zulu"}


def test_the_version_is_one_that_gateways_accept(declared):
    assert declared.version == "0.9.1-reconciler.0.1.0"


def test_places_in_the_files_are_known(declared):
    assert declared.sources["runtime.pricing.video"].line == 7
    assert declared.sources["runtime.gateways.zulu"].line == 9
    assert declared.sources["runtime.sessions"].line == 6
