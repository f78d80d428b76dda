import assert from "node:assert/strict";
import { before, test } from "node:test";
import { cka, massMask, nearestNeighbors, principalComponents, trainProbe } from "../../../../src/analysis";
import { startBackend } from "../../../../src/core/tf";
import { isLuvitError } from "../../nn/support";

before(() => startBackend());

const engine = { engine: "eager" } as const;
const features = (rows: number, dim = 2) => ({
  values: Float32Array.from({ length: rows * dim }, (_, i) => Math.sin(i)),
  dim,
  labels: Int32Array.from({ length: rows }, (_, i) => i % 2),
});
type Features = ReturnType<typeof features>;

const wrong: readonly [change: object, code: "bad-argument" | "non-finite", text: string][] = [
  [{ dim: 0 }, "bad-argument", "dim is 0"],
  [{ dim: 1.5 }, "bad-argument", "dim is 1.5"],
  [{ dim: "2" }, "bad-argument", "dim"],
  [{ dim: 3 }, "bad-argument", "12 numbers for 6 rows of 3"],
  [{ values: "abc" }, "bad-argument", "Float32Array"],
  [{ values: new DataView(new ArrayBuffer(8)) }, "bad-argument", "Float32Array"],
  [{ labels: 5 }, "bad-argument", "Int32Array"],
  [{ labels: [0, 1, 0, -1, 0, 0] }, "bad-argument", "label -1"],
  [{ labels: [0, 1, 0, 0.5, 0, 0] }, "bad-argument", "label 0.5"],
  [{ labels: [0, 1, 0, Number.NaN, 0, 0] }, "bad-argument", "label NaN"],
  [{ labels: [0, 1, 0, 2e9, 0, 0] }, "bad-argument", "label 2000000000"],
  [{ values: new Float32Array(12).fill(Number.NaN) }, "non-finite", "NaN"],
  [
    { values: Array.from({ length: 12 }, (_, i) => (i === 11 ? Number.POSITIVE_INFINITY : i)) },
    "non-finite",
    "infinities",
  ],
];

test("features that cannot be are refused by what is wrong with them, those to test with as well", async () => {
  const good = features(6);
  for (const [change, code, text] of wrong) {
    const bad = { ...good, ...change } as Features;
    await assert.rejects(
      trainProbe(bad, { epochs: 1, ...engine }),
      isLuvitError(code, "training features", text),
    );
    await assert.rejects(
      trainProbe(good, { test: bad, epochs: 1, ...engine }),
      isLuvitError(code, "test features", text),
    );
    await assert.rejects(
      nearestNeighbors(bad, good, { k: [1], ...engine }),
      isLuvitError(code, "training features", text),
    );
    await assert.rejects(
      nearestNeighbors(good, bad, { k: [1], ...engine }),
      isLuvitError(code, "test features", text),
    );
  }
  await assert.rejects(
    trainProbe(good, { test: features(0), epochs: 1, ...engine }),
    isLuvitError("bad-argument", "no test samples"),
  );
});

test("plain lists give what arrays give", async () => {
  const known = features(8);
  const lists = { values: [...known.values], dim: 2, labels: [...known.labels] } as unknown as Features;
  const [asArrays, asLists] = await Promise.all(
    [known, lists].map((given) => nearestNeighbors(given, given, { k: [3], ...engine })),
  );
  assert.deepEqual(asLists, asArrays);
  const options = { epochs: 2, test: lists, ...engine };
  const probe = await trainProbe(lists, options);
  assert.equal(probe.accuracy, (await trainProbe(known, { ...options, test: known })).accuracy);
});

test("votes are finite at the lowest temperature, and more than fit into memory are refused", async () => {
  const [{ votes }] = await nearestNeighbors(features(6), features(6), {
    k: [3],
    temperature: 0.002,
    ...engine,
  });
  assert.ok(votes.every(Number.isFinite));
  await assert.rejects(
    nearestNeighbors(features(6), features(6), { k: [3], temperature: 0.001 }),
    isLuvitError("bad-argument", "temperature"),
  );
  await assert.rejects(
    nearestNeighbors(features(2000), features(2000), { k: [1], classes: 1_000_000 }),
    isLuvitError("bad-argument", "do not fit into memory"),
  );
});

test("features that are too large, and a training that diverges, are told", async () => {
  const huge = { ...features(6), values: features(6).values.map((x) => 3e38 * x) };
  await assert.rejects(
    trainProbe(huge, { epochs: 2, ...engine }),
    isLuvitError("non-finite", "features too large", "head.0.running_"),
  );
  await assert.rejects(
    trainProbe(features(6), { epochs: 90, baseLr: 1e6, weightDecay: 1, ...engine }),
    isLuvitError("non-finite", "no longer finite"),
  );
});

test("similarities and components of NaN or infinities are refused", () => {
  const row = [1, 2, Number.NaN, 4];
  assert.throws(() => principalComponents(row, 2, 1), isLuvitError("non-finite", "principalComponents"));
  const one = { values: [1, 2, 3, 4], dim: 1 };
  assert.throws(() => cka([one, { values: row, dim: 1 }]), isLuvitError("non-finite", "representation 1"));
});

test("a mask takes weights from 0 and a share of them", () => {
  for (const weights of [[1, Number.NaN], [1, -1], [Number.POSITIVE_INFINITY], "12"])
    assert.throws(() => massMask(weights as number[], 0.5), isLuvitError("bad-argument", "weights"));
  for (const mass of [-0.1, 1.1, Number.NaN])
    assert.throws(() => massMask([1, 2], mass), isLuvitError("bad-argument", "mass"));
});
