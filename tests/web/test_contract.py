"""The OpenAPI document and the service agree, whatever is asked: fuzzed by schemathesis."""

from __future__ import annotations

import pytest
from web_server import Served, picture

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed (extra test)")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from schemathesis import checks  # noqa: E402

_LEFT_OUT = {"/api/sync/events"}  # a stream


@pytest.fixture
def operations(serve, tmp_path):
    served: Served = serve()
    address = f"http://127.0.0.1:{served.port}"
    schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
    found = [result.ok() for result in schema.get_all_operations()]
    return served, [operation for operation in found if operation.path not in _LEFT_OUT]


def fuzz(served: Served, operations, examples: int) -> None:
    photo, sent = served.sha("/blue.png"), served.client.upload(picture("green"))
    for operation in operations:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), known=st.sampled_from([None, photo, sent]))
        def check(case, known) -> None:
            if known and "sha256" in case.path_parameters:
                case.path_parameters["sha256"] = known  # or nearly all would be 404
            response = case.call()
            assert response.status_code < 500, case.as_curl_command()
            case.validate_response(response, checks=_CHECKS)

        check()


_CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


def test_every_route_keeps_its_contract(operations) -> None:
    served, found = operations
    assert len(found) > 25
    fuzz(served, found, 6)


@pytest.mark.slow
def test_every_route_keeps_its_contract_at_length(operations) -> None:
    fuzz(*operations, 150)
