import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { LoraLinear } from "../../../src/models/lora";
import {
  constant,
  LayerNorm,
  Linear,
  Module,
  ones,
  Parameter,
  RMSNorm,
  uniform,
  zeros,
} from "../../../src/nn";
import { site } from "../../../src/nn/context";
import { Conv2d, everySecond, inPlace, maxPool2, UpConv2d } from "../../../src/nn/convolutions";
import { modelDigest, parameterDigest } from "../../../src/nn/digest";
import { millions } from "../../../src/nn/module";
import { firstAlong } from "../../../src/nn/ops";
import { resizeBilinear } from "../../../src/nn/resizeBilinear";
import { assertClose, isLuvitError, randomArray, randomTensor, valuesOf } from "./support";

before(() => startBackend());

const extent = (x: ArrayLike<number>) => Math.max(...Array.from(x, Math.abs));
const start = async (parameter: Parameter) => (await parameter.read()).data;

/** Drawn between -bound and bound, and not less widely. */
async function assertBound(parameter: Parameter, bound: number): Promise<void> {
  const most = extent(await start(parameter));
  assert.ok(most <= Math.fround(bound) && most > 0.9 * bound, `${most} against ${bound}`);
}

/** A number of [B, H, W, C], 0 outside. */
const at = (x: Tensor, b: number, y: number, column: number, c: number): number =>
  (x.arraySync() as number[][][][])[b]?.[y]?.[column]?.[c] ?? 0;

test("a convolution looks at the pixels around each, its weight by output, input, row and column", () => {
  const [inputs, outputs] = [2, 3];
  const layer = new Conv2d(inputs, outputs, new Rng(1));
  const x = randomTensor([2, 3, 4, inputs], 5);
  const w = layer.weight.value.arraySync() as number[][][][];
  const bias = layer.bias!.value.arraySync() as number[];
  const expected: number[] = [];
  for (let b = 0; b < 2; b++)
    for (let y = 0; y < 3; y++)
      for (let column = 0; column < 4; column++)
        for (let o = 0; o < outputs; o++) {
          let sum = bias[o];
          for (let i = 0; i < inputs; i++)
            for (const dy of [0, 1, 2])
              for (const dx of [0, 1, 2]) sum += w[o][i][dy][dx] * at(x, b, y + dy - 1, column + dx - 1, i);
          expected.push(sum);
        }
  assertClose(
    valuesOf(() => layer.forward(x)),
    expected,
    1e-5,
  );
});

test("a norm stands behind a convolution's bias, with the epsilon it is given; without either there is none", () => {
  const x = randomTensor([1, 2, 2, 4], 5);
  const plain = new Conv2d(4, 6, new Rng(1), { kernel: 1 });
  const normed = new Conv2d(4, 6, new Rng(1), { kernel: 1, normEps: 0.5 });
  assert.equal(normed.norm!.eps, 0.5);
  assert.equal(plain.norm, undefined);
  assertClose(
    valuesOf(() => normed.forward(x)),
    valuesOf(() => new LayerNorm(6, 0.5).forward(plain.forward(x))),
    1e-6,
  );
  const bare = new Conv2d(4, 6, new Rng(1), { bias: false });
  assert.deepEqual(
    [...bare.namedParameters()].map(([path]) => path),
    ["weight"],
  );
  assert.deepEqual(bare.weight.shape, [6, 4, 3, 3]);
});

test("convolutions start as torch's do, or as they are told", async () => {
  const layer = new Conv2d(7, 40, new Rng(1));
  await assertBound(layer.weight, 1 / Math.sqrt(7 * 9));
  await assertBound(layer.bias!, 1 / Math.sqrt(7 * 9));
  const up = new UpConv2d(30, 50, new Rng(1));
  for (const parameter of [up.weight, up.bias]) await assertBound(parameter, 1 / Math.sqrt(4 * 50));
  assert.deepEqual(up.weight.shape, [30, 50, 2, 2]);
  const told = { initialize: ones, initializeBias: uniform(9) };
  for (const each of [new Conv2d(3, 20, new Rng(1), told), new UpConv2d(3, 20, new Rng(1), told)]) {
    assert.deepEqual([...new Set(await start(each.weight))], [1]);
    assert.ok(extent(await start(each.bias!)) > 3);
  }
});

test("an upward convolution of rectangles and several channels is four products a pixel", () => {
  const layer = new UpConv2d(2, 3, new Rng(4));
  const x = randomTensor([2, 2, 3, 2], 5);
  const w = layer.weight.value.arraySync() as number[][][][];
  const bias = layer.bias.value.arraySync() as number[];
  const map = layer.forward(x);
  assert.deepEqual(map.shape, [2, 4, 6, 3]);
  for (const [b, y, column, o] of [
    [0, 0, 0, 0],
    [1, 3, 5, 2],
    [0, 1, 4, 1],
    [1, 2, 3, 0],
  ]) {
    const [row, from] = [Math.floor(y / 2), Math.floor(column / 2)];
    const product = [0, 1].reduce(
      (sum, i) => sum + w[i][o][y % 2][column % 2] * at(x, b, row, from, i),
      bias[o],
    );
    assertClose([at(map, b, y, column, o)], [product], 1e-5);
  }
  assert.deepEqual(inPlace(layer.four(x)).dataSync(), map.dataSync());
});

test("maps that are not square are pooled and thinned out along each axis, image by image", () => {
  const x = randomTensor([2, 3, 6, 2], 5);
  const [pooled, second] = [maxPool2(x), everySecond(x)];
  assert.deepEqual(
    [pooled.shape, second.shape],
    [
      [2, 1, 3, 2],
      [2, 2, 3, 2],
    ],
  );
  for (const b of [0, 1])
    for (const column of [0, 1, 2])
      for (const c of [0, 1]) {
        const four = [0, 1].flatMap((y) => [0, 1].map((dx) => at(x, b, y, 2 * column + dx, c)));
        assert.equal(at(pooled, b, 0, column, c), Math.max(...four));
        for (const y of [0, 1]) assert.equal(at(second, b, y, column, c), at(x, b, 2 * y, 2 * column, c));
      }
});

test("maps are resized bilinearly, centers on centers, borders repeated, along each axis by itself", () => {
  const x = tf.tensor([0, 4, 8, 20, 24, 28], [1, 2, 3, 1]);
  const doubled = resizeBilinear(x, 4, 6);
  // Along a row 0, 1, 3, 5, 7, 8; down to the next row, 20 higher, in steps of 0, 5, 15, 20.
  const row = [0, 1, 3, 5, 7, 8];
  assertClose(
    doubled.dataSync(),
    [0, 5, 15, 20].flatMap((down) => row.map((across) => down + across)),
    1e-5,
  );
  const two = resizeBilinear(randomTensor([2, 2, 2, 3], 1), 3, 5);
  assert.deepEqual(two.shape, [2, 3, 5, 3]);
  const [, second] = tf.unstack(two);
  const alone = resizeBilinear(tf.slice(randomTensor([2, 2, 2, 3], 1), [1, 0, 0, 0], [1, 2, 2, 3]), 3, 5);
  assertClose(second.dataSync(), alone.dataSync(), 1e-6);
});

test("a linear has a bias unless told otherwise, and starts within xavier's bound or as it is told", async () => {
  const layer = new Linear(30, 70, new Rng(1));
  await assertBound(layer.weight, Math.sqrt(6 / 100));
  assert.deepEqual([layer.weight.shape, layer.bias!.shape], [[70, 30], [70]]);
  const bare = new Linear(3, 4, new Rng(1), { bias: false, initialize: ones });
  assert.equal(bare.bias, undefined);
  assert.deepEqual([...new Set(await start(bare.weight))], [1]);
  for (const Norm of [LayerNorm, RMSNorm])
    assert.deepEqual([new Norm(3).eps, new Norm(3, 0.5).eps], [1e-6, 0.5]);
  const norm = new LayerNorm(3);
  assert.deepEqual(
    [[...(await start(norm.weight))], [...(await start(norm.bias))]],
    [
      [1, 1, 1],
      [0, 0, 0],
    ],
  );
});

test("of each head its own rows of a linear are what the whole product has there, with a low-rank update too", () => {
  const [passes, heads, inputs, groups, channels] = [3, 4, 5, 2, 3];
  const x = randomTensor([passes, heads, inputs], 2);
  const linear = new Linear(inputs, groups * channels, new Rng(1));
  linear.bias!.value.assign(tf.tensor(randomArray(groups * channels, 8)));
  const adapted = new LoraLinear(linear, { rank: 2, alpha: 6 }, new Rng(3));
  adapted.lora_B.weight.value.assign(
    tf.tensor(randomArray(2 * groups * channels, 9), [groups * channels, 2]),
  );
  for (const layer of [linear, adapted]) {
    const whole = layer.forward(x).arraySync() as number[][][];
    const expected = whole.flatMap((rows) =>
      rows.flatMap((row, h) => {
        const from = Math.floor((h * groups) / heads) * channels;
        return row.slice(from, from + channels);
      }),
    );
    assertClose(
      valuesOf(() => layer.forwardByGroup(x, groups)),
      expected,
      1e-5,
    );
  }
});

test("the first places of an axis are its first; as many as there are, or more, are the tensor itself", () => {
  const x = randomTensor([2, 3, 4], 1);
  assert.deepEqual(firstAlong(x, 1, 2).shape, [2, 2, 4]);
  assert.deepEqual(firstAlong(x, 2, 1).dataSync(), tf.slice(x, [0, 0, 0], [2, 3, 1]).dataSync());
  for (const count of [3, 9, undefined]) assert.equal(firstAlong(x, 1, count), x);
});

test("an edit makes several of one image, but not of two, and not another length of a row", () => {
  const tiled = (x: Tensor) => tf.tile(x, [3, ...x.shape.slice(1).map(() => 1)]);
  const edited = (x: Tensor) => site({ edit: (_, value) => tiled(value) }, "x", x);
  assert.deepEqual(edited(tf.zeros([1, 2])).shape, [3, 2]);
  assert.throws(() => edited(tf.zeros([2, 2])), isLuvitError("shape-mismatch", "[2, 2]", "[6, 2]"));
  assert.throws(() => edited(tf.zeros([1])), isLuvitError("shape-mismatch", "[1]", "[3]"));
});

class Stack extends Module {
  readonly blocks = Array.from({ length: 11 }, () => new LayerNorm(2));
  readonly head = new Linear(2, 3, new Rng(1));
}

test("a part is frozen by its whole name, and parts are counted by their first", () => {
  const stack = new Stack();
  stack.freeze("blocks.1");
  const frozen = () => [...stack.namedParameters()].filter(([, p]) => !p.trainable).map(([path]) => path);
  assert.deepEqual(frozen(), ["blocks.1.weight", "blocks.1.bias"]);
  assert.deepEqual(stack.parts(), [
    { part: "blocks", tensors: 22, parameters: 44, trainable: 40 },
    { part: "head", tensors: 2, parameters: 9, trainable: 9 },
  ]);
  assert.equal(`${stack}`, "Stack(53 parameters, 49 trainable)");
  assert.equal(inspect(stack), `${stack}`);
  stack.freeze().unfreeze("head.bias");
  assert.deepEqual(stack.counts(), { total: 53, trainable: 3 });
});

test("counts are written out to ten thousand, and in millions from there", () => {
  assert.deepEqual([0, 512, 9999, 1e4, 262144, 93121256].map(millions), [
    ...["0", "512", "9999", "0.01 M"],
    ...["0.26 M", "93.12 M"],
  ]);
});

test("a digest is that of the float32 bytes, of a model that of its paths and digests in order", async () => {
  const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
  const values = Float32Array.of(1, -2, 0.5);
  const parameter = new Parameter(
    [3],
    constant(() => values),
    0,
  );
  const own = sha256(new Uint8Array(values.buffer));
  assert.equal(await parameterDigest(parameter), own);
  const part = new Float32Array(5).fill(7).subarray(1, 4);
  part.set(values);
  parameter.load({ shape: [3], data: part });
  assert.equal(await parameterDigest(parameter), own, "of a part of a larger memory");
  const norm = new LayerNorm(2);
  const [weight, bias] = [await parameterDigest(norm.weight), await parameterDigest(norm.bias)];
  assert.equal(await modelDigest(norm), sha256(`weight ${weight}\nbias ${bias}\n`));
});

test("what fills a parameter writes all of it", async () => {
  assert.deepEqual([...(await start(new Parameter([2], ones, 0)))], [1, 1]);
  assert.deepEqual([...(await start(new Parameter([2], zeros, 0)))], [0, 0]);
  await assertBound(new Parameter([400], uniform(0.25), 3), 0.25);
});
