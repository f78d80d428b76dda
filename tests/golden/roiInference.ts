import { decodeMask, rleFromText } from "../../src/core/masks";
import { tf } from "../../src/core/tf";
import { decodeBoxes } from "../../src/models/detection/codec";
import { findDetections, rescaleBoxes } from "../../src/models/detection/detections";
import { pasteMasks } from "../../src/models/detection/masks";
import { roiRowFeeds } from "../../src/models/detection/targets";
import { poolRois } from "../../src/models/detector/rois";
import { boundOf, compareResults } from "./detector";
import { exactly, fedOf, rowsOf } from "./detectorTensors";
import type { Execute, Results } from "./execute";
import type { Check } from "./harness";
import { type Case, detectionSettings, floatsOf, json, masksOf, pixelCheck, sizeOf } from "./roiCase";
import { load } from "./support";

interface ExpectedDetections {
  output_size_hw: number[];
  scores: number[];
  classes: number[];
  rle: { size: number[]; counts: string }[];
}

export async function inferenceChecks(one: Case, execute: Execute): Promise<Check[]> {
  const { meta, io, images } = one;
  const { config } = meta;
  const golden = load(one.folder, "inference.safetensors");
  const proposals = images.map((_, i) => floatsOf(io.get(`proposal_boxes_${i}`)!));
  const capacity = Math.max(...proposals.map((boxes) => boxes.length / 4));
  const model = one.model();
  const boxRows = roiRowFeeds(proposals, one.maps, { ...one.levels, bins: config.box_pool, capacity });
  const box = await execute({
    name: "boxes",
    model,
    inputs: { ...one.features(), ...fedOf(boxRows) },
    body: (given) => {
      const { logits, deltas } = model.boxes(poolRois(one.mapsOf(given), one.rowsOf(given)));
      return { probabilities: tf.softmax(logits), deltas };
    },
  });
  const shaped = (data: ArrayLike<number>) => ({
    shape: [images.length],
    dtype: "F32",
    data: data as Float32Array,
  });
  const found = proposals.map((boxes, i) => {
    const count = boxes.length / 4;
    const rows = (name: string, width: number) =>
      rowsOf(i, shaped(box.get(name)!)).subarray(0, count * width);
    const probabilities = rows("probabilities", config.num_classes + 1);
    const decoded = decodeBoxes(boxes, rows("deltas", 4 * config.num_classes), config.box_weights);
    const size = sizeOf(config.image_sizes_hw[i]);
    return {
      probabilities,
      decoded,
      ...findDetections(decoded, probabilities, config.num_classes, size, detectionSettings(config)),
    };
  });
  const most = Math.max(...found.map(({ scores }) => scores.length), 1);
  const classes = Int32Array.from(
    found.flatMap((one) => Array.from({ length: most }, (_, i) => one.classes[i] ?? 0)),
  );
  const maskRows = roiRowFeeds(
    found.map(({ boxes }) => boxes),
    one.maps,
    { ...one.levels, bins: config.mask_pool, capacity: most },
  );
  const masks = await execute({
    name: "masks",
    model,
    inputs: {
      ...one.features(),
      ...fedOf({ ...maskRows, classes: { shape: [classes.length], data: classes } }),
    },
    body: (given) => {
      const pooled = poolRois(one.mapsOf(given), one.rowsOf(given));
      return { probabilities: tf.sigmoid(model.mask_head!.forward(pooled, given.classes)) };
    },
  });
  const expected = json<ExpectedDetections[]>(one.folder, "detections.json");
  return found.flatMap((detections, i) => {
    const count = detections.scores.length;
    const probabilities = rowsOf(i, shaped(masks.get("probabilities")!)).subarray(
      0,
      count * config.mask_side ** 2,
    );
    const named = (name: string) => golden.get(`${name}_${i}`);
    const [from, to] = [config.image_sizes_hw[i], config.output_sizes_hw[i]].map(sizeOf);
    const output = rescaleBoxes(detections.boxes, from, to);
    const pasted = pasteMasks(
      masksAt(probabilities, output.kept, config.mask_side),
      output.boxes,
      to,
      config.mask_threshold,
    );
    const results: Results = new Map([
      ["probs", detections.probabilities],
      ["scores", detections.scores],
      ["mask_probs", probabilities],
    ]);
    const boxes: Results = new Map([
      ["decoded", detections.decoded],
      ["boxes", detections.boxes],
      ["output_boxes", output.boxes],
    ]);
    const pick = (names: Iterable<string>) => new Map([...names].map((name) => [name, named(name)!]));
    return [
      exactly(`detected classes ${i}`, detections.classes, named("classes")),
      exactly(`detected rows ${i}`, detections.rows, named("kept")),
      ...compareResults(`detections ${i}`, results, pick(results.keys()), boundOf(meta, "values")),
      ...compareResults(`boxes ${i}`, boxes, pick(boxes.keys()), boundOf(meta, "boxes")),
      pixelCheck(
        `masks ${i}`,
        pasted,
        expected[i].rle.map(({ size, counts }) => decodeMask(rleFromText(counts, size[0], size[1]))),
        meta.recommended_tolerance.output_masks_max_pixels,
      ),
      ...(named("output_masks")
        ? [
            pixelCheck(
              `output masks ${i}`,
              pasted,
              masksOf(named("output_masks")!),
              meta.recommended_tolerance.output_masks_max_pixels,
            ),
          ]
        : []),
    ];
  });
}

/** Of masks [n, side, side] those that are kept. */
function masksAt(masks: Float32Array, kept: Int32Array, side: number): Float32Array {
  const size = side * side;
  return Float32Array.from([...kept].flatMap((row) => [...masks.subarray(row * size, (row + 1) * size)]));
}
