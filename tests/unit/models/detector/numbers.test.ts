import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { trace } from "../../../../src/graph";
import { fusion } from "../../../../src/models";
import { absoluteError, binaryCrossEntropy } from "../../../../src/models/detector/losses";
import { detectorSettings } from "../../../../src/models/detector/options";
import { RelativeAttention } from "../../../../src/models/detector/relativeAttention";
import { roiAlign } from "../../../../src/models/detector/roiAlign";
import { BoxHead, boxLosses, MaskHead, maskLoss } from "../../../../src/models/detector/roiHeads";
import { poolRois } from "../../../../src/models/detector/rois";
import { regionLosses } from "../../../../src/models/detector/rpn";
import { secondStage } from "../../../../src/models/detector/stages";
import { WindowedViT } from "../../../../src/models/detector/vitDet";
import { assertClose, randomTensor, valuesOf } from "../../nn/support";
import { perturb } from "../support";
import { head, vit } from "./support";

before(() => startBackend({ backend: "wasm" }));

/** Attention with a bias of the distance along each axis, number by number. */
function relative(x: Tensor, model: RelativeAttention, rows: number, columns: number): number[] {
  const { weight, bias } = model.qkv;
  const [w, b] = [weight.value.arraySync() as number[][], bias!.value.arraySync() as number[]];
  const tokens = (x.arraySync() as number[][][])[0].map((token) =>
    w.map((row, o) => row.reduce((sum, v, i) => sum + v * token[i], b[o])),
  );
  const [high, wide] = [model.rel_pos_h, model.rel_pos_w].map(
    (table) => table.value.arraySync() as number[][],
  );
  const [dim, size] = [x.shape[2]!, x.shape[2]! / model.heads];
  const merged = tokens.map((own, t) =>
    Array.from({ length: model.heads }, (_, h) => h * size).flatMap((from) => {
      const q = own.slice(from, from + size);
      const dot = (other: readonly number[]) => q.reduce((sum, v, i) => sum + v * other[i], 0);
      const weights = tokens.map((other, s) => {
        const [dy, dx] = [Math.floor(t / columns) - Math.floor(s / columns), (t % columns) - (s % columns)];
        const content = dot(other.slice(dim + from, dim + from + size)) / Math.sqrt(size);
        return Math.exp(content + dot(high[dy + rows - 1]) + dot(wide[dx + columns - 1]));
      });
      const total = weights.reduce((a, v) => a + v);
      return q.map((_, c) =>
        weights.reduce((sum, v, s) => sum + (v / total) * tokens[s][2 * dim + from + c], 0),
      );
    }),
  );
  return valuesOf(() => model.proj.forward(tf.tensor([merged]))) as unknown as number[];
}

test("relative positions are the query's, unscaled, with the table's entry for row and column distances", () => {
  for (const [rows, columns, side] of [
    [3, 3, 3],
    [2, 2, 2],
  ]) {
    const model = new RelativeAttention(8, 2, side, new Rng(1));
    for (const [path, p] of model.namedParameters()) p.value.assign(randomTensor(p.shape, path.length, 0.7));
    const x = randomTensor([1, rows * columns, 8], 3);
    const found = valuesOf(() => model.forward(x, { rows, columns }, {}, "attn"));
    assertClose(found, relative(x, model, rows, columns), 1e-4);
  }
});

test("a table of positions of another side is stretched between the centers of its entries", () => {
  const stretched = new RelativeAttention(4, 1, 2, new Rng(1));
  const own = new RelativeAttention(4, 1, 3, new Rng(1));
  const table = randomTensor([3, 4], 5).arraySync() as number[][];
  // Five of three: centers at -0.2, 0.4, 1, 1.6 and 2.2.
  const mix = (low: number, share: number) =>
    table[low].map((x, c) => x * (1 - share) + (table[low + 1]?.[c] ?? 0) * share);
  const five = tf.tensor2d([mix(0, 0), mix(0, 0.4), mix(1, 0), mix(1, 0.6), mix(2, 0)]);
  for (const name of ["rel_pos_h", "rel_pos_w"] as const) {
    stretched[name].value.assign(tf.tensor2d(table));
    own[name].value.assign(five);
  }
  const x = randomTensor([2, 9, 4], 3);
  const [a, b] = [stretched, own].map((model) =>
    valuesOf(() => model.forward(x, { rows: 3, columns: 3 }, {}, "attn")),
  );
  assertClose(a, b, 1e-5);
});

test("a fusion path stands behind as many blocks as it says, and all tokens go through it", () => {
  const config = {
    ...detectorSettings({ ...vit, depth: 3 }, head).encoder,
    globalBlocks: [1],
    imageSize: 16,
  };
  for (const after of [0, 2, 3]) {
    const model = new WindowedViT(config, fusion.mlp(6, { after }), 1);
    const names: string[] = [];
    tf.tidy(
      () => void model.forward(randomTensor([1, 3, 16, 16], 1), { tap: (name) => void names.push(name) }),
    );
    const order = names.filter((name) => /^(tokens|blocks\.\d\.out|fusion\.out)$/.test(name));
    const blocks = [0, 1, 2].map((i) => `blocks.${i}.out`);
    assert.deepEqual(order, ["tokens", ...blocks.slice(0, after), "fusion.out", ...blocks.slice(after)]);
  }
});

for (const after of [undefined, 1, 2]) {
  const where = after === undefined ? "" : `, a fusion path behind ${after} of them`;
  test(`each block of a detector's encoder has two rows of drop path of its own, attention's before the MLP's${where}`, () => {
    const config = {
      ...detectorSettings({ ...vit, depth: 3 }, head).encoder,
      globalBlocks: [1],
      imageSize: 16,
    };
    const model = new WindowedViT(config, after === undefined ? undefined : fusion.mlp(6, { after }), 1);
    perturb(model);
    const images = randomTensor([1, 3, 16, 16], 1);
    const enters = (block: number) =>
      block === after ? "fusion.out" : block === 0 ? "tokens" : `blocks.${block - 1}.out`;
    const outs = (dropped: readonly number[]) => {
      const seen: Record<string, number[]> = {};
      const tap = (name: string, x: Tensor) => {
        if (/^(tokens|fusion\.out|blocks\.\d\.out)$/.test(name)) seen[name] = [...x.dataSync()];
      };
      const rows = [0, 1, 2, 3, 4, 5].map((row) => (dropped.includes(row) ? 0 : 1));
      tf.tidy(() => void model.forward(images, { tap, dropPath: tf.tensor2d(rows, [6, 1]) }));
      return seen;
    };
    const plain = outs([]);
    for (const block of [0, 1, 2]) {
      const [entered, left] = [enters(block), `blocks.${block}.out`];
      const without = outs([2 * block, 2 * block + 1]);
      assert.deepEqual(without[left], without[entered], `block ${block}`);
      assert.deepEqual(without[entered], plain[entered]);
      assert.notDeepEqual(outs([2 * block])[left], outs([2 * block + 1])[left]);
    }
  });
}

test("boxes of several images are looked at on the maps of their own image, image after image", () => {
  const maps = [randomTensor([2, 4, 3, 2], 1), randomTensor([2, 2, 2, 2], 2)];
  const rows = maps.map(({ shape }, i) => ({
    y: randomTensor([2, 3, 2, shape[1]!], 3 + i),
    x: randomTensor([2, 3, 2, shape[2]!], 5 + i),
  }));
  const pooled = poolRois(maps, rows);
  assert.deepEqual(pooled.shape, [6, 2, 2, 2]);
  const part = (x: Tensor, image: number) => tf.slice(x, [image, 0, 0, 0], [1, -1, -1, -1]);
  for (const image of [0, 1]) {
    const own = rows.map(({ y, x }) => ({ y: part(y, image), x: part(x, image) }));
    const alone = poolRois(
      maps.map((map) => part(map, image)),
      own,
    );
    assertClose(tf.slice(pooled, [3 * image, 0, 0, 0], [3, 2, 2, 2]).dataSync(), [...alone.dataSync()], 1e-5);
  }
  const [sum] = tf.unstack(
    poolRois(
      maps.map((map) => part(map, 0)),
      rows.map(({ y, x }) => ({ y: part(y, 0), x: part(x, 0) })),
    ),
  );
  const expected = [0, 1].flatMap((i) =>
    [0, 1].flatMap((j) =>
      [0, 1].map((c) =>
        maps.reduce((total, map, level) => {
          const values = (map.arraySync() as number[][][][])[0];
          const [y, x] = [rows[level].y, rows[level].x].map(
            (each) => (each.arraySync() as number[][][][])[0][0],
          );
          return (
            total +
            values.reduce(
              (t, line, r) => t + line.reduce((u, pixel, k) => u + y[i][r] * x[j][k] * pixel[c], 0),
              0,
            )
          );
        }, 0),
      ),
    ),
  );
  assertClose(sum.dataSync(), expected, 1e-5);
});

test("boxes that take too much memory at once are aligned in parts", () => {
  const { nodes } = trace("rois", {
    inputs: { map: { shape: [1, 2, 64, 512] }, y: { shape: [300, 2, 2] }, x: { shape: [300, 2, 64] } },
    state: {},
    body: ({ map, y, x }) => ({ out: roiAlign([map], [{ y, x }]) }),
  });
  const cuts = nodes
    .filter(({ op }) => op === "Slice")
    .map(({ attributes }) => attributes as Record<string, unknown>);
  const parts = [
    [[0, 0, 0], 256],
    [[0, 0, 0], 256],
    [[256, 0, 0], 44],
    [[256, 0, 0], 44],
  ];
  assert.deepEqual(
    cuts.map(({ begin, size }) => [begin, (size as number[])[0]]),
    parts,
  );
});

test("losses are the weighted sums of their formulas, and nothing pulls where a box is right", () => {
  const [x, y] = [
    tf.tensor2d([
      [1, 5, -2],
      [0, 0, 4],
    ]),
    tf.tensor2d([
      [1, 2, 2],
      [9, 9, 9],
    ]),
  ];
  assertClose(absoluteError(x, y, tf.tensor1d([2, 0.5])).dataSync(), [2 * 7 + 0.5 * 23], 1e-6);
  const slope = tf
    .grad((a: Tensor) => absoluteError(a, y, tf.tensor1d([2, 0.5])))(x)
    .dataSync();
  assert.deepEqual([...slope], [0, 2, -2, -0.5, -0.5, -0.5]);
  const softplus = (v: number) => Math.log(1 + Math.exp(v));
  assertClose(
    binaryCrossEntropy(tf.tensor1d([2, -1]), tf.tensor1d([1, 0.25])).dataSync(),
    [softplus(2) - 2, softplus(-1) + 0.25],
    1e-6,
  );
  const masks = tf.tensor3d([1, -1, 0, 2, 3, 3, 3, 3], [2, 2, 2]);
  const drawn = [1, -1, 0, 2].reduce((sum, v) => sum + softplus(v) - v, 0);
  assertClose(maskLoss(masks, tf.onesLike(masks), tf.tensor1d([0.5, 0])).dataSync(), [0.5 * drawn], 1e-5);
  const int = (...all: number[]) => tf.tensor1d(all, "int32");
  const logits = tf.tensor2d([
    [1, 0, 0],
    [0, 2, 0],
  ]);
  const deltas = tf.tensor2d([
    [1, 1, 1, 1, 2, 2, 2, 2],
    [3, 3, 3, 3, 4, 4, 4, 4],
  ]);
  const classes = tf.tensor2d([
    [0.5, 0, 0],
    [0, 0, 0.25],
  ]);
  const given = { boxPlaces: int(1, 2), boxTargets: tf.zeros([2, 4]), boxWeights: tf.tensor1d([1, 0.5]) };
  const boxes = boxLosses({ logits, deltas }, { classes, ...given });
  const log = (own: number, all: number[]) => Math.log(all.reduce((sum, v) => sum + Math.exp(v), 0)) - own;
  assertClose(boxes.loss_cls.dataSync(), [0.5 * log(1, [1, 0, 0]) + 0.25 * log(0, [0, 2, 0])], 1e-5);
  assertClose(boxes.loss_box_reg.dataSync(), [8 + 0.5 * 12], 1e-5);
  const regions = regionLosses(
    {
      logits: tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      deltas: tf.reshape(deltas, [2, 2, 4]),
    },
    { places: int(3, 0), labels: tf.tensor1d([1, 0]), weights: tf.tensor1d([0.5, 0.25]), ...given },
  );
  assertClose(regions.loss_rpn_cls.dataSync(), [0.5 * (softplus(4) - 4) + 0.25 * softplus(1)], 1e-5);
  assertClose(regions.loss_rpn_loc.dataSync(), [8 + 0.5 * 12], 1e-5);
});

test("heads without convolutions take the maps as they are; a mask's logits are those of its class", () => {
  const options = {
    inputs: 3,
    classes: 2,
    convolutions: 0,
    channels: 5,
    hidden: 4,
    boxBins: 2,
    normEps: 1e-6,
  };
  const box = new BoxHead(options, new Rng(1));
  const x = randomTensor([2, 2, 2, 3], 4);
  const flat = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [2, 12]);
  assertClose(
    valuesOf(() => box.forward(x)),
    valuesOf(() => tf.relu(box.fc1.forward(flat))),
    1e-6,
  );
  const mask = new MaskHead({ ...options, channels: 3 }, new Rng(1));
  perturb(mask);
  const up = tf.relu(mask.deconv.forward(x));
  const all = mask.predictor.forward(up);
  const found = mask.forward(x, tf.tensor1d([1, 0], "int32"));
  assert.deepEqual(found.shape, [2, 4, 4]);
  const expected = [1, 0].flatMap((label, i) => [
    ...tf.slice(all, [i, 0, 0, label], [1, 4, 4, 1]).dataSync(),
  ]);
  assertClose(found.dataSync(), expected, 1e-5);
});

test("the second stage is fed as many samples as its settings have, masks of twice the bins, and no masks without a head", () => {
  const of = (masks: boolean) => {
    const settings = detectorSettings(vit, {
      ...head,
      masks,
      rois: { ...head.rois, perImage: 8, objectShare: 0.25, maskBins: 5 },
    });
    const objects = {
      boxes: Float32Array.of(0, 0, 20, 30),
      classes: [1],
      polygons: [[[0, 0, 20, 0, 20, 30]]],
    };
    const permute = () => (_: number, count: number) => Int32Array.from({ length: count }, (_, i) => i);
    return secondStage(
      settings,
      [objects, objects],
      [Float32Array.of(1, 1, 9, 9), new Float32Array(0)],
      permute,
    );
  };
  const { feeds, drawn } = of(true);
  const shape = (name: string) => feeds[name].shape.join();
  assert.deepEqual(
    drawn.map((one) => [one.objects, one.boxes.length / 4]),
    [
      [1, 2],
      [1, 1],
    ],
  );
  assert.deepEqual([shape("rois.y2"), shape("rois.x5")], ["2,8,7,32", "2,8,7,4"]);
  assert.deepEqual([shape("masks.y2"), shape("masks.targets")], ["2,2,5,32", "4,10,10"]);
  assert.deepEqual([shape("rois.classes"), shape("rois.boxTargets")], ["16,4", "4,4"]);
  // Every sample of the batch weighs the same unless it is said otherwise.
  assert.deepEqual(Math.max(...feeds["rois.classes"].data), Math.fround(1 / 3));
  assert.ok(!Object.keys(of(false).feeds).some((name) => name.startsWith("masks.")));
});
