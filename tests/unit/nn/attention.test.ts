import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { trace } from "../../../src/graph";
import { type AttentionOptions, scaledDotProductAttention } from "../../../src/nn/attention";
import { AttentionMask, prefixMask, UNSEEN } from "../../../src/nn/attentionMask";
import { KeyValueCache } from "../../../src/nn/cache";
import { assertClose, isLuvitError, randomTensor, valuesOf } from "./support";

before(() => startBackend());

type Sees = (sequence: number, query: number, key: number) => boolean;

/** Attention number by number: query [B, H, T, C], key and value [B, G, S, C], head h with group floor(h G / H). */
function byHand(query: Tensor, key: Tensor, value: Tensor, sees: Sees = () => true): number[] {
  const [q, k, v] = [query, key, value].map((x) => x.arraySync() as number[][][][]);
  return q.flatMap((heads, b) =>
    heads.flatMap((rows, h) => {
      const group = Math.floor((h * k[b].length) / heads.length);
      return rows.flatMap((row, t) => {
        const weights = k[b][group].map((other, s) => {
          const dot = other.reduce((sum, x, c) => sum + x * row[c], 0);
          return sees(b, t, s) ? Math.exp(dot / Math.sqrt(row.length)) : 0;
        });
        const total = weights.reduce((a, x) => a + x, 0);
        return v[b][group][0].map((_, c) =>
          weights.reduce((sum, weight, s) => sum + (weight / total) * v[b][group][s][c], 0),
        );
      });
    }),
  );
}

const grouped = () =>
  [
    [2, 6, 5, 4],
    [2, 2, 5, 4],
    [2, 2, 5, 3],
  ].map((shape, i) => randomTensor(shape, i + 1));

test("attention is its definition: groups of heads, causal, a window, a mask for all or for each sequence", () => {
  const [q, k, v] = grouped();
  const image = [
    [0, 1, 1, 1, 0],
    [1, 1, 0, 0, 0],
  ];
  const [one, each] = [prefixMask({ image: [image[0]] }), prefixMask({ image })];
  const cases: [AttentionOptions, Sees][] = [
    [{}, () => true],
    [{ causal: true }, (_, t, s) => s <= t],
    [{ causal: true, window: 1 }, (_, t, s) => s === t],
    [{ causal: true, window: 3 }, (_, t, s) => s <= t && t - s < 3],
    [{ window: 2 }, () => true],
    [{ mask: one.tensor() }, (_, t, s) => one.sees(0, t, s)],
    [{ mask: each.tensor() }, (b, t, s) => each.sees(b, t, s)],
    [
      { mask: each.tensor(), causal: true, window: 2 },
      (b, t, s) => each.sees(b, t, s) && s <= t && t - s < 2,
    ],
  ];
  for (const [options, sees] of cases) {
    const found = valuesOf(() => scaledDotProductAttention(q, k, v, options));
    assertClose(found, byHand(q, k, v, sees), 1e-5, JSON.stringify(Object.keys(options)));
  }
});

test("scores are seen before the mask, the pattern behind it, the heads last; each may be edited", () => {
  const [q, k, v] = grouped();
  const seen: [string, number[]][] = [];
  const tap = (name: string, { shape }: Tensor) => void seen.push([name, shape]);
  let scores: number[] = [];
  const edit = (name: string, x: Tensor) => {
    if (name === "attention.scores") scores = [...x.dataSync()];
    if (name === "attention.pattern") assert.equal(x.dataSync()[1], 0, "a later key has no weight");
    return name === "attention.heads" ? tf.mul(x, 2) : x;
  };
  const twice = valuesOf(() => scaledDotProductAttention(q, k, v, { causal: true, context: { tap, edit } }));
  assert.deepEqual(seen, [
    ["attention.scores", [2, 6, 5, 5]],
    ["attention.pattern", [2, 6, 5, 5]],
    ["attention.heads", [2, 6, 5, 3]],
  ]);
  assert.ok(scores.every((score) => Math.abs(score) < 100));
  assertClose(
    twice,
    byHand(q, k, v, (_, t, s) => s <= t).map((x) => 2 * x),
    1e-5,
  );
});

test("what is too large for all scores at once goes in chunks, unless they are masked or looked at", () => {
  const shape = [8193, 1, 64, 1];
  const softmaxes = (options: AttentionOptions) =>
    trace("large", {
      inputs: { q: { shape }, k: { shape }, v: { shape } },
      state: {},
      body: ({ q, k, v }) => ({ y: scaledDotProductAttention(q, k, v, options) }),
    }).nodes.filter(({ op }) => op === "Softmax").length;
  assert.equal(softmaxes({}), 2);
  assert.equal(softmaxes({ causal: true }), 1);
  assert.equal(softmaxes({ context: { tap: () => {} } }), 1);
  assert.equal(softmaxes({ context: { edit: (_, x) => x } }), 1);
});

test("a mask adds 0 where a key is seen and a large negative number elsewhere, one sequence without a batch's axis", () => {
  const mask = new AttentionMask(Uint8Array.of(1, 0, 1, 1), 1, 2);
  assert.deepEqual([...mask.numbers()], [0, UNSEEN, 0, 0]);
  assert.deepEqual([mask.tensor().shape, UNSEEN], [[2, 2], -1e9]);
  const two = new AttentionMask(Uint8Array.of(1, 0, 1, 1, 1, 1, 0, 1), 2, 2);
  assert.deepEqual(two.tensor().shape, [2, 1, 2, 2]);
  assert.deepEqual([two.sees(1, 0, 1), two.sees(1, 1, 0), two.sees(0, 0, 1)], [true, false, false]);
});

test("flags of images may be typed arrays; what is ragged, empty or no flag is refused", () => {
  const drawn = ({ visible }: AttentionMask) => [...visible];
  const plain = prefixMask({ image: [[0, 1, 1]], real: [[1, 1, 0]] });
  const typed = prefixMask({ image: [Uint8Array.of(0, 1, 1)], real: [Int32Array.of(1, 1, 0)] });
  assert.deepEqual(drawn(typed), drawn(plain));
  const windowed = prefixMask({ image: [[1, 1, 1]], within: "causal", window: 2 });
  assert.deepEqual(drawn(windowed), [1, 0, 0, 1, 1, 0, 0, 1, 1]);
  for (const image of [[[]], [[0, 0.5]], [[0, -1]], ["01"], [[0], [0, 1]], "01", [[true]]])
    assert.throws(() => prefixMask({ image: image as never }), isLuvitError("bad-argument", "image"));
  for (const more of [{ real: [[1, 2]] }, { window: 0 }, { window: 1.5 }, { within: "all" }])
    assert.throws(
      () => prefixMask({ image: [[0, 1]], ...(more as object) }),
      isLuvitError("bad-argument", Object.keys(more)[0]),
    );
  assert.throws(
    () =>
      prefixMask({
        image: [[0, 1]],
        real: [
          [1, 1],
          [1, 1],
        ],
      }),
    isLuvitError("bad-argument", "real: 2 sequences of 2 tokens", "image: 1 sequences of 2 tokens"),
  );
  assert.throws(() => new AttentionMask(new Uint8Array(0), 0, 2), isLuvitError("bad-argument"));
  assert.throws(
    () => new AttentionMask(new Uint8Array(9), 1, 2),
    isLuvitError("bad-argument", "9 entries, not 4"),
  );
});

const rowsOf = (x: Tensor) => (x.arraySync() as number[][][][])[0][0];

test("a cache begins with a pass's own keys and keeps them with room behind them", () => {
  const [k, v] = [randomTensor([1, 2, 3, 2], 1), randomTensor([1, 2, 3, 2], 2)];
  const cache = new KeyValueCache(5);
  const { key, value } = cache.extend("a", k, v);
  assert.ok(key === k && value === v, "the pass sees itself alone");
  assert.equal(cache.positions, undefined);
  assert.deepEqual(Object.keys(cache.after), ["a.key", "a.value"]);
  for (const [name, x] of [
    ["a.key", k],
    ["a.value", v],
  ] as const) {
    assert.deepEqual(cache.after[name].shape, [1, 2, 5, 2]);
    assert.deepEqual(rowsOf(cache.after[name]), [...rowsOf(x), [0, 0], [0, 0]]);
  }
  const full = new KeyValueCache(3);
  full.extend("a", k, v);
  assert.deepEqual(rowsOf(full.after["a.key"]), rowsOf(k));
  assert.notEqual(full.after["a.key"], k, "a tensor of its own");
  assert.throws(
    () => new KeyValueCache(2).extend("a", k, v),
    isLuvitError("bad-argument", "3 tokens do not fit into the room of 2"),
  );
});

test("a pass that goes on puts its keys into their places and sees what was kept beside them", () => {
  const kept = { "a.key": randomTensor([1, 1, 4, 2], 1), "a.value": randomTensor([1, 1, 4, 2], 2) };
  const [k, v] = [randomTensor([1, 1, 2, 2], 3), randomTensor([1, 1, 2, 2], 4)];
  const positions = tf.tensor1d([1, 3], "int32");
  // The first token takes place 1, the second place 3.
  const places = tf.tensor2d([0, 0, 1, 0, 0, 0, 0, 1], [4, 2]);
  const cache = new KeyValueCache(4, { kept, positions, places });
  assert.equal(cache.positions, positions);
  const { key, value } = cache.extend("a", k, v);
  for (const [name, x, own] of [
    ["a.key", key, k],
    ["a.value", value, v],
  ] as const) {
    assert.equal(cache.after[name], x);
    const [was, now] = [rowsOf(kept[name]), rowsOf(own)];
    assert.deepEqual(rowsOf(x), [was[0], now[0], was[2], now[1]]);
  }
});
