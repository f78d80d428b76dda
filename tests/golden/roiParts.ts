import { type Tensor, tf } from "../../src/core/tf";
import { findDetections } from "../../src/models/detection/detections";
import { maskTarget, pasteMasks } from "../../src/models/detection/masks";
import { levelsOf, roiWeights } from "../../src/models/detection/roiWeights";
import { roiAlign } from "../../src/models/detector/roiAlign";
import { boundOf, channelsFirst, channelsLast, compareResults } from "./detector";
import { exactly, fedOf } from "./detectorTensors";
import type { Execute } from "./execute";
import type { Check } from "./harness";
import { type Case, detectionSettings, floatsOf, json, masksOf, pixelCheck, sizeOf } from "./roiCase";
import { load } from "./support";
export async function alignChecks(one: Case, execute: Execute): Promise<Check[]> {
  const golden = load(one.folder, "roi_align.safetensors");
  const input = golden.get("input")!;
  const [batch, , height, width] = input.shape;
  const rois = floatsOf(golden.get("rois")!);
  const stride = 4; // the file's spatial scale is 0.25
  const sizes = [...golden.keys()]
    .filter((name) => name.startsWith("output_"))
    .map((name) => Number(name.slice(7)));
  const checks: Check[] = [];
  for (const bins of sizes) {
    const count = rois.length / 5;
    const boxes = Float32Array.from(
      { length: 4 * count },
      (_, i) => rois[5 * Math.floor(i / 4) + 1 + (i % 4)],
    );
    const [rows] = roiWeights(boxes, new Int32Array(count), [{ level: 0, stride, height, width }], bins);
    const inputs = {
      input,
      upstream: golden.get(`upstream_${bins}`)!,
      ...fedOf({
        y: { shape: [count, bins, height], data: rows.y },
        x: { shape: [count, bins, width], data: rows.x },
      }),
    };
    const results = await execute({
      name: `ROIAlign ${bins}`,
      inputs,
      body: ({ input: maps, upstream, y, x }) => {
        const align = (all: Tensor) => {
          const seen = Array.from({ length: batch }, (_, i) => {
            const map = tf.slice(channelsLast(all), [i, 0, 0, 0], [1, height, width, -1]);
            return roiAlign([map], [{ y, x }]);
          });
          return channelsFirst(
            tf.concat(
              Array.from({ length: count }, (_, i) =>
                tf.slice(seen[rois[5 * i]], [i, 0, 0, 0], [1, bins, bins, -1]),
              ),
            ),
          );
        };
        const gradient = tf.grad((all: Tensor) => tf.sum(tf.mul(align(all), upstream)));
        return { output: align(maps), "grad.input": gradient(maps) };
      },
    });
    checks.push(
      ...compareResults(
        `ROIAlign ${bins}`,
        results,
        new Map([["output", golden.get(`output_${bins}`)!]]),
        boundOf(one.meta, "values"),
      ),
      ...compareResults(
        `ROIAlign ${bins} gradient`,
        results,
        new Map([["grad.input", golden.get(`grad_input_${bins}`)!]]),
        boundOf(one.meta, "grads"),
      ),
    );
  }
  return checks;
}

export function levelChecks({ folder, meta, levels }: Case): Check[] {
  const golden = load(folder, "levels.safetensors");
  const official = { ...levels, canonicalSize: meta.config.official_canonical_box_size };
  return [
    exactly("official levels", levelsOf(floatsOf(golden.get("boxes")!), official), golden.get("level")),
  ];
}

export function maskTargetChecks({ folder }: Case): Check[] {
  const golden = load(folder, "mask_targets.safetensors");
  const boxes = floatsOf(golden.get("boxes")!);
  const side = golden.get("targets")!.shape[1];
  const targets = json<number[][][]>(folder, "mask_targets.json").flatMap((polygons, i) => [
    ...maskTarget(polygons, boxes.subarray(4 * i, 4 * i + 4), side),
  ]);
  return [exactly("mask targets", targets, golden.get("targets"))];
}

export function pasteChecks({ folder, meta }: Case): Check[] {
  const golden = load(folder, "paste.safetensors");
  const [, height, width] = golden.get("output")!.shape;
  const masks = floatsOf(golden.get("masks")!);
  const pasted = pasteMasks(
    masks,
    floatsOf(golden.get("boxes")!),
    { height, width },
    meta.config.mask_threshold,
  );
  return [
    pixelCheck(
      "pasted masks",
      pasted,
      masksOf(golden.get("output")!),
      meta.recommended_tolerance.paste_max_pixels,
    ),
  ];
}

export function syntheticChecks({ folder, meta }: Case): Check[] {
  const golden = load(folder, "synthetic.safetensors");
  const config = meta.synthetic_inference;
  const [boxes, probs] = ["boxes", "probs"].map((name) => floatsOf(golden.get(name)!));
  const find = (scoreThreshold: number) =>
    findDetections(boxes, probs, config.num_classes, sizeOf(config.image_size_hw), {
      ...detectionSettings(config),
      scoreThreshold,
    });
  const found = find(config.score_thresh);
  return [
    exactly("synthetic rows", found.rows, golden.get("result_rows")),
    exactly("synthetic classes", found.classes, golden.get("result_classes")),
    exactly("synthetic scores", found.scores, golden.get("result_scores")),
    exactly("synthetic boxes", found.boxes, golden.get("result_boxes")),
    { name: "no result", error: find(config.score_thresh_without_any_result).scores.length, tolerance: 0 },
  ];
}
