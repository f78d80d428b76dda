import { decodeMask, rleFromText } from "../../src/core/masks";
import { tf } from "../../src/core/tf";
import { decodeBoxes } from "../../src/models/detection/codec";
import { findDetections, rescaleBoxes } from "../../src/models/detection/detections";
import { pasteMasks } from "../../src/models/detection/masks";
import { detectorAnchors, proposalsOf, roiRows } from "../../src/models/detector/stages";
import { boundOf, compareResults } from "./detector";
import { exactly, fedOf, rowsOf } from "./detectorTensors";
import type { Results } from "./execute";
import type { Check } from "./harness";
import { type Case, json, type Outputs, sizeOf } from "./maskRcnnCase";
import type { GoldenTensor } from "./readTensors";
import { load } from "./support";

interface ExpectedDetections {
  rle: { size: number[]; counts: string }[];
}

export async function inferenceChecks(one: Case, input: GoldenTensor, outputs: Outputs): Promise<Check[]> {
  const { settings, meta, images } = one;
  const golden = load(one.folder, "inference.safetensors");
  const proposals = proposalsOf(settings, detectorAnchors(settings), outputs, one.sizes, false);
  const model = one.model();
  const { rois, classes, regions } = settings;
  const boxRows = roiRows(
    settings,
    proposals.map(({ boxes }) => boxes),
    rois.boxBins,
    regions.proposals.test,
  );
  const box = await one.execute({
    name: "boxes",
    model,
    inputs: { images: input, ...fedOf(boxRows) },
    body: (given) => {
      const { logits, deltas } = model.boxes(model.maps(given.images), given);
      return { probabilities: tf.softmax(logits), deltas };
    },
  });
  const ofImage = (data: ArrayLike<number>, i: number) =>
    rowsOf(i, { shape: [images.length], dtype: "F32", data: data as Float32Array });
  const found = proposals.map(({ boxes }, i) => {
    const count = boxes.length / 4;
    const probabilities = ofImage(box.get("probabilities")!, i).subarray(0, count * (classes + 1));
    const deltas = ofImage(box.get("deltas")!, i).subarray(0, 4 * count * classes);
    const decoded = decodeBoxes(boxes, deltas, rois.weights);
    return findDetections(decoded, probabilities, classes, one.sizes[i], rois.detections);
  });
  const most = rois.detections.perImage;
  const labels = Int32Array.from(
    found.flatMap((all) => Array.from({ length: most }, (_, i) => all.classes[i] ?? 0)),
  );
  const maskRows = roiRows(
    settings,
    found.map(({ boxes }) => boxes),
    rois.maskBins,
    most,
  );
  const masks = await one.execute({
    name: "masks",
    model,
    inputs: { images: input, ...fedOf({ ...maskRows, classes: { shape: [labels.length], data: labels } }) },
    body: (given) => ({ probabilities: tf.sigmoid(model.masks(model.maps(given.images), given)) }),
  });
  const expected = json<ExpectedDetections[]>(one.folder, "detections.json");
  return found.flatMap((detections, i) => {
    const size = (2 * rois.maskBins) ** 2;
    const probabilities = ofImage(masks.get("probabilities")!, i).subarray(
      0,
      detections.scores.length * size,
    );
    const to = sizeOf(meta.config.original_sizes_hw[i]);
    const output = rescaleBoxes(detections.boxes, one.sizes[i], to);
    const kept = Float32Array.from(
      [...output.kept].flatMap((row) => [...probabilities.subarray(row * size, (row + 1) * size)]),
    );
    const pasted = pasteMasks(kept, output.boxes, to);
    const values: Results = new Map([
      ["scores", detections.scores],
      ["mask_probs", probabilities],
      ["test_proposal_logits", proposals[i].logits],
    ]);
    const boxes: Results = new Map([
      ["boxes", detections.boxes],
      ["output_boxes", output.boxes],
      ["test_proposal_boxes", proposals[i].boxes],
    ]);
    const pick = (names: Iterable<string>) =>
      new Map([...names].map((name) => [name, golden.get(`${name}_${i}`)!]));
    const wrong = expected[i].rle.map(({ size: [height, width], counts }, at) => {
      const pixels = decodeMask(rleFromText(counts, height, width));
      return decodeMask(pasted[at]).reduce((sum, pixel, j) => sum + Math.abs(pixel - pixels[j]), 0);
    });
    return [
      exactly(`detected classes ${i}`, detections.classes, golden.get(`classes_${i}`)),
      ...compareResults(`detections ${i}`, values, pick(values.keys()), boundOf(meta, "values")),
      ...compareResults(`boxes ${i}`, boxes, pick(boxes.keys()), boundOf(meta, "boxes")),
      {
        name: `masks ${i}`,
        error: Math.max(0, ...wrong),
        tolerance: meta.recommended_tolerance.output_masks_max_pixels,
      },
    ];
  });
}
