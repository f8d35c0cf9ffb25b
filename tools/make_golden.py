"""Makes tests/data/models.json, the golden streams of models, by the slow definition."""

import json
import sys
from pathlib import Path
from random import Random

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))
import reference_models as reference  # noqa: E402


def case(name: str, kinds: list[str], bounds: tuple[int, int], seed: int) -> dict[str, object]:
    """Forty values, near their locs or far out, with scales from a point to 2^20."""
    random = Random(seed)
    elements, values = [], []
    for _ in range(40):
        center = random.choice([random.uniform(-20, 20), random.uniform(-1e6, 1e6)])
        parts = [
            reference.Component(
                kind,
                center + random.gauss(0, 3),
                random.choice(
                    [0.0, 0.3, 2.0 ** random.uniform(-4, 6), 2.0 ** random.uniform(5, 20)]
                ),
                random.choice([0.0, 1.0, random.random()]) if k else 1.0,
            )
            for k, kind in enumerate(kinds)
        ]
        elements.append(reference.Element(parts, len(kinds) > 1, *bounds))
        spread = random.choice([1, 1, 1, 30]) * max(part.scale for part in parts)
        value = round(parts[0].loc + random.gauss(0, spread))
        values.append(min(max(value, bounds[0]), bounds[1]))
    stream = reference.encode([reference.row(e) for e in elements], values)
    return {
        "name": name,
        "mixture": len(kinds) > 1,
        "bounds": bounds,
        "elements": [
            [[p.kind, p.loc.hex(), p.scale.hex(), p.weight.hex()] for p in e.components]
            for e in elements
        ],
        "values": values,
        "stream": stream.hex(),
    }


if __name__ == "__main__":
    free = (reference.INT32_MIN, reference.INT32_MAX)
    kinds = list(reference.TAIL)
    cases = [case(kind, [kind], free, seed) for seed, kind in enumerate(kinds)]
    cases += [case(f"{kind}, bounds", [kind], (-50, 255), seed) for seed, kind in enumerate(kinds)]
    cases.append(case("mixture of Normals", ["Normal"] * 4, free, 10))
    cases.append(case("mixture of all kinds", [*kinds, *kinds], free, 11))
    cases.append(case("mixture, bounds", ["Logistic"] * 10, (0, 255), 12))
    (TESTS / "data/models.json").write_text(json.dumps(cases, indent=0) + "\n")
