import { decodeBoxes, encodeBoxes } from "../../src/models/detection/codec";
import { findProposals } from "../../src/models/detection/proposals";
import { boundOf, compareResults } from "./detector";
import { exactly, rowsOf } from "./detectorTensors";
import type { CaseFile, Check } from "./harness";
import { type GoldenTensors, load } from "./support";

export function proposalChecks(
  folder: string,
  meta: CaseFile,
  io: GoldenTensors,
  levels: Float32Array[],
): Check[] {
  const { config } = meta;
  const golden = load(folder, "proposals.safetensors");
  const synthetic = load(folder, "synthetic.safetensors");
  const checks: Check[] = [];
  for (const [source, expected] of [
    [io, golden],
    [synthetic, synthetic],
  ]) {
    for (const mode of ["train", "test"]) {
      for (const [image, size] of config.image_sizes_hw.entries()) {
        const boxes = expected.get(`${mode}_boxes_${image}`);
        if (!boxes) continue;
        const found = findProposals(
          {
            logits: rowsOf(image, source.get("objectness_logits")!),
            deltas: rowsOf(image, source.get("anchor_deltas")!),
          },
          levels,
          { height: size[0], width: size[1] },
          {
            perLevel: config.pre_nms_topk[mode],
            perImage: config.post_nms_topk[mode],
            threshold: config.nms_thresh,
            weights: config.box_weights,
            mostGrowth: config.scale_clamp,
            leastSize: config.min_box_size,
          },
          mode === "train",
        );
        const results = new Map([
          ["boxes", found.boxes],
          ["logits", found.logits],
        ]);
        const name = `${source === io ? "" : "synthetic "}proposals ${mode} ${image}`;
        checks.push(
          ...compareResults(`${name}: boxes`, results, new Map([["boxes", boxes]]), boundOf(meta, "boxes")),
          exactly(`${name}: logits`, found.logits, expected.get(`${mode}_logits_${image}`)),
        );
      }
    }
  }
  const images = config.image_sizes_hw.length;
  const decoded = Array.from({ length: images }, (_, i) =>
    decodeBoxes(
      io.get("anchors")!.data as Float32Array,
      rowsOf(i, io.get("anchor_deltas")!),
      config.box_weights,
    ),
  );
  const all = Float32Array.from(decoded.flatMap((boxes) => [...boxes]));
  const expected = new Map([["decoded", golden.get("decoded")!]]);
  return [
    ...checks,
    ...compareResults("decoded", new Map([["decoded", all]]), expected, boundOf(meta, "boxes")),
  ];
}

/** Names end in the weights: decoded_10_10_5_5, decoded_1111. */
export function codecChecks(codec: GoldenTensors, meta: CaseFile): Check[] {
  const [from, to] = ["src", "dst"].map((name) => codec.get(name)!.data as Float32Array);
  const endings = [...codec.keys()]
    .filter((name) => name.startsWith("decoded_"))
    .map((name) => name.slice(8));
  return endings.flatMap((ending) => {
    const numbers = ending.includes("_") ? ending.split("_") : ending.split("");
    const weights = numbers.map(Number) as [number, number, number, number];
    const deltas = codec.get(`deltas_${ending}`)!.data as Float32Array;
    const results = new Map([
      [`encoded_${ending}`, encodeBoxes(from, to, weights)],
      [`decoded_${ending}`, decodeBoxes(from, deltas, weights)],
    ]);
    const pick = (name: string) => new Map([[name, codec.get(name)!]]);
    return [
      ...compareResults(`encoded ${ending}`, results, pick(`encoded_${ending}`), boundOf(meta, "values")),
      ...compareResults(`decoded ${ending}`, results, pick(`decoded_${ending}`), boundOf(meta, "boxes")),
    ];
  });
}
