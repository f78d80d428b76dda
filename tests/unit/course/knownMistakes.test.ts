import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { exercise } from "../../../src/course";
import { drawRow, drawShares, times } from "../../../src/course/exercises/rows";
import { Verdict } from "../../../src/course/verdict";
import { isLuvitError } from "../nn/support";

before(async () => void (await startBackend({ backend: "wasm" })));

type Row = number[];
type Box = number[];

const total = (row: readonly number[]) => row.reduce((a, b) => a + b, 0);
const middle = (row: readonly number[]) => total(row) / row.length;
const area = ([left, top, right, bottom]: Box) => (right - left) * (bottom - top);
const shared = (a: Box, b: Box) =>
  Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) *
  Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
const surprise = (row: Row) => total(row.map((a) => (a === 0 ? 0 : -a * Math.log(a))));
const ranked = (noise: Row) => [...noise.keys()].sort((a, b) => noise[a] - noise[b]);
const rms = (x: Row) => middle(x.map((one) => one * one));
const even = (q: Tensor, k: Tensor) => tf.softmax(tf.matMul(q, k, false, true));

/** Numbers worked out with a pen. */
const numbers: readonly [id: string, answer: unknown, said: RegExp][] = [
  ["tokens/count", 196, /one more token stands before them/],
  ["tokens/count", 14, /one side/],
  ["tokens/count", 50_177, /not a pixel/],
  ["tokens/where", [16, 48], /token 17 is patch 16/],
  ["tokens/where", [32, 16], /Row first/],
  ["tokens/where", [1, 2], /place in the grid/],
  ["attention/even", [0.01538, 6.0224], /in bits/],
  ["attention/even", [0.015625, 4.1589], /class token is a key/],
  ["attention/cost", 29_805_312, /one of the two products/],
  ["attention/cost", 4_967_552, /one head/],
  ["attention/cost", 464_781_312, /projections/],
  ["llama/parameters", 202_375_168, /a gain each/],
  ["llama/parameters", 157_294_592, /three matrices/],
  ["llama/parameters", 6_476_267_520, /all 32 blocks/],
  ["luvit/trainable", 131_072, /one projection/],
  ["luvit/trainable", 524_288, /all four/],
  ["luvit/trainable", 33_554_432, /frozen matrices/],
  ["luvit/mappers", 3_145_728, /one down/],
  ["luvit/mappers", 6_296_320, /no biases/],
  ["luvit/mappers", 6_553_600, /counted apart/],
  ["luvit/mappers", 1_179_648, /4096 wide/],
  ["llavit/patches", 577, /class token/],
  ["llavit/patches", 256, /224 pixels/],
  ["llavit/patches", 441, /16 pixels/],
  ["paper/rate", 0.00015, /base rate/],
  ["paper/rate", 0.6144, /by 256/],
  ["paper/rate", 0.0006, /not by the root/],
  ["paper/steps", 312, /one epoch/],
  ["paper/steps", 250_400, /not full/],
  ["paper/steps", 250_227, /own remainder/],
  ["robustness/gap", -6.7, /positive gap/],
  ["robustness/gap", 13.5, /mixed/],
  ["robustness/gap", 8.161, /Points/],
];

/** Ways that are tried often, written by somebody else. */
// biome-ignore format: a line each
const functions: readonly [id: string, answer: unknown, said: RegExp][] = [
  ["tokens/patchify", (image: Row[], p: number) => {
    const all = image.flat();
    return Array.from({ length: all.length / p ** 2 }, (_, i) => all.slice(i * p ** 2, (i + 1) * p ** 2));
  }, /as they lie in memory/],
  ["attention/formula", (q: Tensor, k: Tensor, v: Tensor) => tf.matMul(even(q, k), v), /not divided by/],
  ["attention/formula", (q: Tensor, k: Tensor, v: Tensor) => tf.matMul(even(tf.div(q, 4), k), v), /the root of d/],
  ["masked/keep", (noise: Row, ratio: number) => ranked(noise).reverse().slice(0, Math.floor(noise.length * (1 - ratio))), /most noise/],
  ["masked/keep", (noise: Row, ratio: number) => ranked(noise).slice(Math.floor(noise.length * (1 - ratio))), /masked ones/],
  ["masked/keep", (noise: Row, ratio: number) => ranked(noise).slice(0, Math.floor(noise.length * (1 - ratio))).sort((a, b) => a - b), /sorted by place/],
  ["masked/loss", (p: Row[], t: Row[]) => middle(p.map((row, i) => middle(row.map((x, j) => (x - t[i][j]) ** 2)))), /visible ones should not/],
  ["masked/loss", (p: Row[], t: Row[], mask: Row) => total(p.map((row, i) => mask[i] * total(row.map((x, j) => (x - t[i][j]) ** 2)))) / total(mask), /added up; their mean/],
  ["masked/target", (patch: Row) => patch.map((x) => (x - middle(patch)) / Math.sqrt(rms(patch.map((one) => one - middle(patch))) + 1e-6)), /divides by n − 1/],
  ["llama/rmsnorm", (x: Row, gain: Row, eps: number) => x.map((one, i) => (one * gain[i]) / (Math.sqrt(rms(x)) + eps)), /under the root/],
  ["llama/rmsnorm", (x: Row, gain: Row) => x.map((one, i) => (one * gain[i]) / Math.sqrt(rms(x))), /divided by 0/],
  ["llama/gate", (gate: Row, up: Row) => gate.map((z, i) => up[i] / (1 + Math.exp(-z))), /sigmoid alone/],
  ["llama/gate", (gate: Row, up: Row) => gate.map((z, i) => (z * up[i]) / (1 + Math.exp(-up[i]))), /the first one/],
  ["luvit/lora", (x: Row, W: Row[], A: Row[], B: Row[]) => W.map((row, i) => total(row.map((w, j) => w * x[j])) + total(B[i].map((b, r) => b * total(A[r].map((a, j) => a * x[j]))))), /scale alpha \/ rank/],
  ["entropy/row", (row: Row) => surprise(row) / Math.log(2), /in bits/],
  ["entropy/heads", (rows: Row[]) => surprise(rows[0].map((_, i) => middle(rows.map((row) => row[i])))), /mean row/],
  ["entropy/share", (f: Row, b: Row) => (100 * f.filter((one, i) => b[i] >= one).length) / f.length, /neither is greater/],
  ["robustness/mce", (e: Row[], r: Row[]) => (100 * total(e.flat())) / total(r.flat()), /hard ones then count more/],
  ["robustness/interval", (x: Row, t: number) => {
    const half = t * Math.sqrt(total(x.map((one) => (one - middle(x)) ** 2)) / (x.length - 1));
    return [middle(x) - half, middle(x) + half];
  }, /single runs/],
  ["dense/iou", (a: Box, b: Box) => shared(a, b) / (area(a) + area(b)), /counted twice/],
  ["dense/iou", (a: Box, b: Box) => shared(a, b) / (a[2] * a[3] + b[2] * b[3] - shared(a, b)), /not width and height/],
  ["dense/iou", (a: Box, b: Box) => shared(a, b) / Math.min(area(a), area(b)), /smaller box/],
  ["dense/ap", (hits: boolean[], objects: number) => total(hits.map((hit, i) => (hit ? hits.slice(0, i + 1).filter(Boolean).length / (i + 1) : 0))) / objects, /raised to it/],
  ["dense/ap", (hits: boolean[], objects: number) => hits.filter(Boolean).length / objects, /recall of the whole/],
  ["dense/level", (w: number, h: number) => Math.min(5, Math.max(2, Math.round(4 + Math.log2(Math.sqrt(w * h) / 224)))), /the floor/],
  ["dense/level", (w: number, h: number) => Math.min(5, Math.max(2, Math.floor(4 + Math.log2(Math.max(w, h) / 224)))), /longer side/],
  ["llavit/mask", (visual: number, words: number) => {
    const all = Array.from({ length: visual + words }, (_, i) => i);
    return all.map((i) => all.map((j) => (j <= i ? 1 : 0)));
  }, /plain causal mask/],
  ["llavit/likelihood", (logits: Row[], ids: Row) => middle(ids.map((id, i) => logits[i][id] - Math.log(total(logits[i].map((x) => Math.exp(x)))))), /mean per token/],
  ["llavit/likelihood", (logits: Row[], ids: Row) => total(ids.map((id, i) => logits[i][id])), /no logarithms/],
  ["paper/schedule", (step: number, all: number, warm: number, peak: number) => (step < warm ? (peak * step) / warm : (peak * (1 + Math.cos((Math.PI * step) / all))) / 2), /begins where the warm-up ends/],
  ["paper/schedule", (step: number, all: number, warm: number, peak: number) => (step < warm ? (peak * step) / warm : (peak * (all - step)) / (all - warm)), /half a cosine/],
];

test("what is answered wrongly most often is told what is wrong with it", () => {
  for (const [id, answer, said] of [...numbers, ...functions]) {
    const { kind, text } = exercise(id, answer);
    assert.equal(kind, "no", `${id}: ${text}`);
    assert.match(text, said, id);
  }
});

test("three digits of a typed number are enough, a tenth beside it is nearly right, more is wrong", () => {
  const kindOf = (rate: number) => exercise("paper/rate", rate).kind;
  assert.deepEqual([2.404e-3, 2.396e-3, 2.41e-3, 2.39e-3, 2.62e-3, 2.18e-3, 2.7e-3, 2.1e-3].map(kindOf), [
    "right",
    "right",
    "nearly",
    "nearly",
    "nearly",
    "nearly",
    "no",
    "no",
  ]);
  assert.equal(exercise("paper/steps", 249_601).kind, "nearly", "of a count every one");
});

test("what a function computes may be off by a thousandth of its largest number", () => {
  const by = (factor: number) => exercise("entropy/row", (row: Row) => surprise(row) * factor).kind;
  assert.deepEqual([1.0009, 0.9991, 1.0011, 0.9989].map(by), ["right", "right", "no", "no"]);
});

test("shares add up to one and none is zero; other numbers have two digits behind the point", () => {
  const rng = new Rng(3);
  for (let i = 0; i < 20; i++) {
    const shares = drawShares(rng, 5);
    assert.ok(Math.abs(total(shares) - 1) < 1e-12 && shares.every((one) => one > 0));
  }
  const row = drawRow(rng, 200);
  for (const one of row) assert.ok(Number(one.toFixed(2)) === one, `${one}`);
  assert.ok(row.some((one) => one < -1) && row.some((one) => one > 1), "as a normal distribution has them");
  assert.deepEqual(times([[1, 2], [3, 4], [5, 6]], [10, 1]), [12, 34, 56]); // biome-ignore format: a matrix
});

test("a verdict has one of four kinds, each with its sign and color, and a text", () => {
  const looks = {
    right: ["✔", "1a7f37"],
    nearly: ["≈", "9a6700"],
    no: ["✘", "cf222e"],
    open: ["…", "6e7781"],
  };
  for (const [kind, [sign, color]] of Object.entries(looks)) {
    const verdict = new Verdict(kind as "right", "because");
    assert.match(String(verdict), new RegExp(`^${sign} .*: because$`));
    const shown = Reflect.get(verdict, Symbol.for("Jupyter.display")).call(verdict)["text/html"];
    assert.ok(shown.includes(`solid #${color}`), kind);
  }
  assert.throws(() => new Verdict("maybe" as never, "x"), isLuvitError("bad-argument", "kind"));
  assert.throws(() => new Verdict("right", 3 as never), isLuvitError("bad-argument", "text"));
});
