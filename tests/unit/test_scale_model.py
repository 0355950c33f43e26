"""The model behind docs/scale.md, by hand; and the fit of growth curves."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import growth, scale

RATES = {
    "encode_cpu_ms": 36.0,
    "vector_bytes": 768,
    "list_bytes": 396,
    "catalogue_bytes": 500,
    "shard_rows": 1_000_000,
    "build_s": 60.0,
    "lists_ms": [2.0, 2.0, 2.0],
    "exact_ms_per_million": 40.0,
}
GIVEN = {name: {"value": value, "from": "by hand"} for name, value in RATES.items()}


def test_a_plan_by_hand() -> None:
    plan = scale.plan(10**8, GIVEN)
    assert plan["vectors_gb"] == pytest.approx(76.8)
    assert plan["index_gb"] == pytest.approx(116.4)
    assert plan["shards"] == 10
    assert plan["encode_core_hours"] == pytest.approx(1_000)  # 10^8 x 36 ms
    assert plan["encode_nodes"] == 1  # 1,000 / 64 cores are 16 of 168 hours, reading 50 TB takes 14
    assert scale.plan(10**10, GIVEN)["encode_nodes"] == 10
    assert plan["build_core_hours"] == pytest.approx(10 * 60 * 10**1.5 / 3600)
    assert plan["serve_nodes"] == 2  # two replicas of 116 GB, three quarters of 256 GB each
    assert plan["exact_ms_one_machine"] == pytest.approx(4_000)


def test_one_small_shard_takes_what_it_took() -> None:
    calm = scale.Assumed(slow_share=0.0, network_ms=0.5)
    found = scale.latency(np.full(5, 3.0), 1, calm)
    assert found["plain p50"] == pytest.approx(3.5 + 0.001)
    assert found["plain p99"] == found["plain p50"]


def test_the_slowest_of_many_shards_decides_and_hedging_helps() -> None:
    times = np.linspace(1, 2, 50)
    few, many = scale.latency(times, 1), scale.latency(times, 500)
    assert few["plain p50"] < 3 < 10 < many["plain p50"]  # one in a hundred is ten times as slow
    assert many["hedged p50"] < many["plain p50"] / 2


def test_exponents_are_those_of_the_curve() -> None:
    exponent, factor = growth.fit({n: 3 * n**0.5 for n in (100, 1_000, 10_000)})
    assert exponent == pytest.approx(0.5)
    assert factor == pytest.approx(3)
