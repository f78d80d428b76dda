import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { convertRowOrder } from "../../../src/io/llama/keymap";
import { llama31Scaling, rotaryFrequencies } from "../../../src/io/llama/ropeScaling";
import { loadAdapter, saveAdapter } from "../../../src/models/adapter";
import { LlamaBlocks } from "../../../src/models/llamaBlock";
import type { LlamaConfig } from "../../../src/models/llamaConfig";
import * as lora from "../../../src/models/lora";
import { rotate } from "../../../src/models/rotary";
import { scaledDotProductAttention } from "../../../src/nn/attention";
import { rmsNorm } from "../../../src/nn/ops";
import { assertClose, isLuvitError, maxDifference, randomTensor, valuesOf } from "../nn/support";
import { hostGradients, perturb } from "./support";

before(() => startBackend());

const grouped: LlamaConfig = {
  dim: 24,
  heads: 6,
  kvHeads: 2,
  hiddenDim: 40,
  normEps: 1e-5,
  ropeTheta: 500000,
  causal: false,
  rope: false,
  rowOrder: "hf",
};
const tokens = 5;
const x = () => randomTensor([2, tokens, grouped.dim], 3);

function blockWith(config: Partial<LlamaConfig>, state?: StateDict): LlamaBlocks {
  const block = new LlamaBlocks({
    config: { ...grouped, ...config },
    depth: 1,
    rng: new Rng(1),
    origin: "a test",
  });
  if (state) block.loadStateDict(state);
  else perturb(block);
  return block;
}

/** Rows of heads, each head `copies` times in a row: what grouped attention saves. */
function repeatHeads({ shape, data }: HostTensor, heads: number, copies: number): HostTensor {
  const [rows, ...rest] = shape;
  const length = data.length / heads;
  const repeated = new Float32Array(data.length * copies);
  for (let head = 0; head < heads * copies; head++) {
    const from = Math.floor(head / copies) * length;
    repeated.set(data.subarray(from, from + length), head * length);
  }
  return { shape: [rows * copies, ...rest], data: repeated };
}

/** The sum of the gradients of copies of heads. */
function sumCopies(gradient: Float32Array, heads: number, copies: number): Float32Array {
  const length = gradient.length / heads / copies;
  const sum = new Float32Array(heads * length);
  for (let i = 0; i < gradient.length; i++) {
    const head = Math.floor(i / length / copies);
    sum[head * length + (i % length)] += gradient[i];
  }
  return sum;
}

const gradientsOf = (block: LlamaBlocks) =>
  hostGradients(
    () => tf.sum(tf.mul(block.forward(x()), randomTensor([2, tokens, grouped.dim], 8))),
    new Map([...block.namedParameters()].map(([path, parameter]) => [path, parameter.value])),
  );

const switches: Partial<LlamaConfig>[] = [
  {},
  { causal: true, rope: true },
  { causal: true, rope: true, qkvBias: true },
  { rope: true, qkNorm: true, headDim: 6 },
  { causal: true, rope: true, ropeScaling: llama31Scaling, outputBias: true, qkvBias: true, mlpBias: true },
];
for (const config of switches) {
  test(`a block with grouped heads is the block whose keys and values are repeated: ${JSON.stringify(config)}`, async () => {
    const { heads, kvHeads = 0 } = grouped;
    const few = blockWith(config);
    const state = await few.stateDict();
    const repeated = new Map(state);
    const isShared = (path: string) => /attention\.w[kv]\./.test(path);
    for (const path of state.keys()) {
      if (isShared(path)) repeated.set(path, repeatHeads(state.get(path)!, kvHeads, heads / kvHeads));
    }
    const full = blockWith({ ...config, kvHeads: heads }, repeated);
    assertClose(
      valuesOf(() => few.forward(x())),
      valuesOf(() => full.forward(x())),
      1e-6,
    );
    const expected = gradientsOf(full);
    for (const [path, gradient] of gradientsOf(few)) {
      const other = expected.get(path)!;
      const sum = isShared(path) ? sumCopies(other, kvHeads, heads / kvHeads) : other;
      assertClose(gradient, sum, 2e-5, path);
    }
  });
}

test("the pattern of every query head is seen, its rows sum to one", () => {
  const [q, k, v] = [
    [2, 6, 4, 3],
    [2, 2, 4, 3],
    [2, 2, 4, 3],
  ].map((shape, i) => randomTensor(shape, i));
  let pattern: Tensor | undefined;
  const mixed = scaledDotProductAttention(q, k, v, {
    context: {
      tap: (name, value) => {
        if (name === "attention.pattern") pattern = value;
      },
    },
  });
  assert.deepEqual([mixed.shape, pattern!.shape], [q.shape, [2, 6, 4, 4]]);
  assertClose(tf.sum(pattern!, -1).dataSync(), new Float32Array(2 * 6 * 4).fill(1), 1e-6);
  const head = (t: Tensor, i: number) => tf.slice(t, [0, i, 0, 0], [2, 1, -1, -1]);
  for (let h = 0; h < 6; h++) {
    const alone = scaledDotProductAttention(
      head(q, h),
      head(k, Math.floor(h / 3)),
      head(v, Math.floor(h / 3)),
    );
    assertClose(head(mixed, h).dataSync(), alone.dataSync(), 1e-6, `head ${h}`);
  }
});

test("a sliding window hides what is further back, and nothing where attention is not causal", () => {
  const reach = (config: Partial<LlamaConfig>) => {
    const nudge = tf.concat([randomTensor([2, 1, 24], 9), tf.zeros([2, tokens - 1, 24])], 1);
    const block = blockWith(config);
    const change = tf.abs(tf.sub(block.forward(tf.add(x(), nudge)), block.forward(x())));
    return Array.from(tf.max(change, [0, 2]).dataSync(), (value) => value > 0);
  };
  assert.deepEqual(reach({ causal: true, slidingWindow: 2 }), [true, true, false, false, false]);
  assert.deepEqual(reach({ causal: true }), [true, true, true, true, true]);
  assert.deepEqual(reach({ slidingWindow: 2 }), [true, true, true, true, true]);
});

test("rotated q and k rows in Meta's order, biases and head norms among them, give the same block", async () => {
  const config = { rope: true, qkvBias: true, qkNorm: true, headDim: 8 };
  const hf = blockWith(config);
  const heads = { heads: 6, kvHeads: 2 };
  const meta = blockWith(
    { ...config, rowOrder: "meta" },
    convertRowOrder(await hf.stateDict(), heads, "hf", "meta"),
  );
  assertClose(
    valuesOf(() => meta.forward(x())),
    valuesOf(() => hf.forward(x())),
    1e-5,
  );
});

test("head norms act on each head of q and k before the rotation", () => {
  const block = blockWith({ qkNorm: true });
  const [{ attention }] = block.layers;
  const scaled = blockWith({ qkNorm: true });
  const own = scaled.layers[0].attention;
  tf.tidy(() => own.wq.weight.value.assign(tf.mul(attention.wq.weight.value, 10)));
  const out = (each: LlamaBlocks) => valuesOf(() => each.layers[0].attention.forward(x(), {}, "attention"));
  assertClose(out(scaled), out(block), 1e-4, "the norm takes out the scale of q");
  const q = randomTensor([2, 6, tokens, 4], 1);
  assertClose(
    valuesOf(() => own.q_norm!.forward(q)),
    valuesOf(() => rmsNorm(q, own.q_norm!.weight.value, grouped.normEps)),
    0,
  );
});

test("LLaMA 3.1 slows the slow rotations eightfold and leaves the fast ones", () => {
  const plain = rotaryFrequencies(128, 500000);
  const scaled = rotaryFrequencies(128, 500000, llama31Scaling);
  const ratios = [...plain].map((frequency, i) => frequency / scaled[i]);
  const turns = (frequency: number) => (8192 * frequency) / (2 * Math.PI);
  for (const [i, ratio] of ratios.entries()) {
    if (turns(plain[i]) > 4) assert.equal(ratio, 1);
    else if (turns(plain[i]) < 1) assert.ok(Math.abs(ratio - 8) < 1e-12);
    else assert.ok(ratio > 1 && ratio < 8 && ratio > ratios[i - 1]);
  }
  assert.ok(ratios[0] === 1 && ratios[63] > 7.9);
  assertClose(rotaryFrequencies(128, 500000, { type: "divisors", divisors: ratios }), scaled, 1e-12);
  const [half] = rotaryFrequencies(2, 10, { type: "linear", factor: 2 });
  assert.equal(half, 0.5);
  const q = randomTensor([1, 1, 6, 8], 1);
  const turned = (factor: number) =>
    valuesOf(() => rotate(q, { ropeTheta: 100, rowOrder: "hf", ropeScaling: { type: "linear", factor } }));
  assert.ok(maxDifference(turned(1), turned(2)) > 1e-2);
});

test("a scaling that cannot be computed is refused where it is needed, and only there", () => {
  const ropeScaling = { type: "other", name: "yarn" } as const;
  blockWith({ ropeScaling });
  assert.throws(() => blockWith({ ropeScaling, rope: true }), isLuvitError("bad-argument", '"yarn"'));
  const divisors = { type: "divisors" as const, divisors: [1, 2, 3] };
  assert.throws(
    () => blockWith({ ropeScaling: divisors, rope: true }),
    isLuvitError("bad-argument", "3 divisors for 2"),
  );
});

test("heads that do not fit together are one error", () => {
  assert.throws(
    () => blockWith({ kvHeads: 4, headDim: 3, rope: true }),
    isLuvitError("bad-argument", "4 heads of keys do not divide 6 heads", "heads of even width, not 3"),
  );
  assert.throws(
    () => blockWith({ heads: 5, kvHeads: 5 }),
    isLuvitError("bad-argument", "5 heads do not divide the width 24"),
  );
});

test("LoRA on grouped projections has their shapes, trains, and merges into them, biases untouched", async () => {
  const block = blockWith({ qkvBias: true });
  const before = await block.stateDict();
  block.freeze();
  lora.attach(block, { rank: 3, targets: ["q_proj", "k_proj", "v_proj"] });
  const shapes = lora
    .adapters(block)
    .map(([, { lora_A, lora_B }]) => [lora_A.weight.shape, lora_B.weight.shape]);
  assert.deepEqual(shapes, [
    [
      [3, 24],
      [24, 3],
    ],
    [
      [3, 24],
      [8, 3],
    ],
    [
      [3, 24],
      [8, 3],
    ],
  ]);
  perturb(block, (path) => path.includes("lora_"));
  const adapted = valuesOf(() => block.forward(x()));
  lora.merge(block);
  assertClose(
    valuesOf(() => block.forward(x())),
    adapted,
    1e-5,
  );
  const after = await block.stateDict();
  for (const [path, { data }] of before) {
    const changed = /attention\.w[qkv]\.weight/.test(path);
    assert.equal(maxDifference(after.get(path)!.data, data) > 0, changed, path);
  }
});

test("a PEFT adapter of grouped projections fits the same block with its rows in Meta's order, as GGUF has them", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "luvit-grouped-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const hf = blockWith({ rope: true, qkvBias: true });
  const heads = { heads: 6, kvHeads: 2 };
  const rows = convertRowOrder(await hf.stateDict(), heads, "hf", "meta");
  const meta = blockWith({ rope: true, qkvBias: true, rowOrder: "meta" }, rows);
  lora.attach(hf, { rank: 3, targets: ["q_proj", "k_proj", "v_proj"] });
  perturb(hf, (path) => path.includes("lora_"));
  await saveAdapter(hf, folder);
  await loadAdapter(meta, folder);
  assertClose(
    valuesOf(() => meta.forward(x())),
    valuesOf(() => hf.forward(x())),
    1e-5,
  );
  await saveAdapter(meta, folder);
  const again = blockWith({ rope: true, qkvBias: true });
  await loadAdapter(again, folder);
  const own = await hf.stateDict();
  for (const [path, { data }] of await again.stateDict()) {
    if (path.includes("lora_")) assert.deepEqual(data, own.get(path)!.data, path);
  }
});
