"""Makes the golden streams of models, models.json and categories.json, with the slow coders."""

import json
import math
import sys
from pathlib import Path
from random import Random

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))
import reference_categories  # noqa: E402
import reference_models as reference  # noqa: E402
from reference_families import TAIL  # noqa: E402


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


def number(random: Random, logits: bool) -> float:
    """A logit or a probability; one in ten is impossible."""
    logit = -math.inf if random.random() < 0.1 else random.gauss(0, random.choice([1, 1, 20]))
    return logit if logits else math.exp(logit)


def categories(count: int, logits: bool) -> dict[str, object]:
    """Values with numbers in any unit; those of many categories are repeated."""
    random = Random(2 * count + logits)
    rows, values = [], []
    for _ in range(2 if count > 64 else 6):
        numbers = [number(random, logits) for _ in range(min(count, 61))]
        unit = random.uniform(-50, 50)
        row = [x + unit if logits else x * math.exp(unit) for x in numbers]
        if max(numbers) == (-math.inf if logits else 0):
            row[0] = 1.0
        rows.append(row)
        values.append(random.choice([random.randrange(count), count - 1]))
    each = [[row[i % len(row)] for i in range(count)] for row in rows]
    return {
        "name": f"{count}, {'logits' if logits else 'probs'}",
        "model": "Categorical",
        "parameter": "logits" if logits else "probs",
        "categories": count,
        "rows": [[x.hex() for x in row] for row in rows],
        "values": values,
        "stream": reference_categories.encode(each, values, logits=logits).hex(),
    }


def bernoulli(logits: bool) -> dict[str, object]:
    """Forty values, some of which are certain."""
    random = Random(logits)
    numbers = [
        random.gauss(0, 5) if logits else random.choice([0.0, 1.0, 2.0**-40, random.random()])
        for _ in range(40)
    ]
    rows = [reference_categories.bernoulli(x, logits=logits) for x in numbers]
    values = [random.randrange(2) for _ in numbers]
    return {
        "name": f"Bernoulli, {'logits' if logits else 'probs'}",
        "model": "Bernoulli",
        "parameter": "logits" if logits else "probs",
        "rows": [x.hex() for x in numbers],
        "values": values,
        "stream": reference_categories.encode(rows, values, logits=logits).hex(),
    }


def write(name: str, cases: list[dict[str, object]]) -> None:
    """One case a line."""
    lines = ",\n".join(map(json.dumps, cases))
    (TESTS / "data" / name).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    free = (reference.INT32_MIN, reference.INT32_MAX)
    kinds = list(TAIL)
    cases = [case(kind, [kind], free, seed) for seed, kind in enumerate(kinds)]
    cases += [case(f"{kind}, bounds", [kind], (-50, 255), seed) for seed, kind in enumerate(kinds)]
    cases.append(case("mixture of Normals", ["Normal"] * 4, free, 10))
    cases.append(case("mixture of all kinds", [*kinds, *kinds], free, 11))
    cases.append(case("mixture, bounds", ["Logistic"] * 10, (0, 255), 12))
    write("models.json", cases)
    sizes = (2, 17, 32, 33, 256, 257, 258, 4097)
    cases = [categories(count, logits) for count in sizes for logits in (False, True)]
    write("categories.json", [*cases, bernoulli(False), bernoulli(True)])
