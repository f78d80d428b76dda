import { before, test } from "node:test";
import {
  ablateHeads,
  attentionDistances,
  attentionEntropy,
  attentionMaps,
  entropyShares,
  faithfulness,
  lens,
  massMask,
  patchActivations,
  patchMaps,
  relevance,
  summarizeEntropy,
} from "../../../src/analysis";
import { rowsOf } from "../../../src/analysis/provenance";
import { rowWeights } from "../../../src/analysis/quantizedRows";
import { startBackend } from "../../../src/core/tf";
import { imageFolder, transforms } from "../../../src/data";
import { approve } from "../../support/approved";
import { perturb } from "../models/support";
import { maskedImages, temporaryFolder, tinyLuvit, writeImages } from "./support";

/*
 * What every analysis finds in one small model, whose weights follow from their seeds, on a few images. That each is right
 * is tested beside it; here is seen that none of its numbers is another one.
 */

before(() => startBackend());

const eager = { engine: "eager" } as const;

/** Numbers times 1000, so that their digits count. */
function inWords(value: unknown): string {
  if (typeof value === "number")
    return Number.isInteger(value)
      ? String(value)
      : Number.isFinite(value)
        ? `${(1000 * value).toFixed(2)}m`
        : String(value);
  if (ArrayBuffer.isView(value)) {
    const all = Array.from(value as unknown as ArrayLike<number>, Number);
    const some = all.length > 24 ? all.filter((_, i) => i % Math.ceil(all.length / 24) === 0) : all;
    return `${all.length} [${some.map((x) => `${(1000 * x).toFixed(2)}m`).join(" ")}]`;
  }
  if (Array.isArray(value)) return `[${value.map(inWords).join(", ")}]`;
  if (value instanceof Map) return inWords(Object.fromEntries(value));
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .filter(
        ([name]) =>
          !/^(paths?|commit|date|version|image|sample|root|code|data|time|when|engine)$/i.test(name),
      )
      .map(([name, entry]) => `${name}: ${inWords(entry)}`)
      .join(", ")}}`;
  return String(value);
}

const tableLines = (table: unknown) => (rowsOf(table as never) as object[]).map((row) => inWords(row));

function luvit() {
  const model = tinyLuvit();
  perturb(model);
  return model;
}
const folder = async (perClass = 2) =>
  imageFolder(await writeImages(temporaryFolder(), perClass), { transform: transforms.evaluation(16) });
const masked = () =>
  maskedImages([
    ["object", "ground", "ground", "object"],
    ["ground", "object", "object", "ignored"],
    ["object", "object", "ground", "ground"],
  ]);

test("attention: entropies, distances, maps, shares", async () => {
  const [model, set, masks] = [luvit(), await folder(), await masked()];
  const entropy = await attentionEntropy(model, masks, eager);
  const lines = [
    "== entropy",
    ...tableLines(entropy),
    "== summary",
    inWords(summarizeEntropy(entropy, "blocks.1")),
  ];
  lines.push(
    "== maps",
    ...(await patchMaps(model, masks, eager)).map((map) =>
      inWords({ entropy: map.entropy, norm: map.norm, grid: map.grid }),
    ),
  );
  lines.push("== distances", ...tableLines(await attentionDistances(model, set, eager)));
  const maps = await attentionMaps(model, set, { ...eager, index: 1 });
  lines.push(
    "== attention",
    ...maps.layers.map(({ layer, heads, pattern, rollout, entropy: own }) =>
      inWords({ layer, heads, own, first: rowWeights(pattern, 0), rollout: rowWeights(rollout, 2) }),
    ),
  );
  lines.push("== mass", inWords(massMask(Float32Array.of(0.1, 0.6, 0.3), 0.5)));
  const shares = await entropyShares(model, { masks, some: masks.take(2) }, { ...eager, seed: 4 });
  lines.push("== shares", String(shares));
  approve("analysis/attention", lines);
});

test("relevance by every method, faithfulness, lens", async () => {
  const [model, set] = [luvit(), (await folder()).subset([0, 3])];
  const lines: string[] = [];
  for (const method of ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"] as const)
    for (const target of ["predicted", 0] as const) {
      const found = await relevance(model, set, { ...eager, method: method as never, class: target }).catch(
        (error: Error) => error.message.split("\n")[0],
      );
      lines.push(
        `== ${method} ${target}`,
        ...(typeof found === "string"
          ? [found]
          : found.map((map) =>
              inWords({
                label: map.label,
                probability: map.probability,
                patches: map.patches,
                pixels: map.pixels(),
              }),
            )),
      );
    }
  const found = await faithfulness(model, set, { ...eager, methods: ["chefer", "rollout"], step: 64 });
  lines.push("== faithfulness", String(found), ...tableLines(found.summary), ...tableLines(found.curves));
  for (const maps of await lens(model, set, eager))
    lines.push(
      "== lens",
      ...maps.sites.map((site) => inWords({ site: site.site, logits: site.logits, pooled: site.pooled })),
    );
  approve("analysis/relevance", lines);
});

test("interventions: heads off, activations of another image", async () => {
  const [model, set] = [luvit(), await folder()];
  const off = await ablateHeads(model, set, eager);
  const patched = await patchActivations(model, set, set.subset([3, 2, 1, 0]), eager);
  approve("analysis/interventions", [
    String(off),
    ...tableLines(off.table),
    "== patched",
    String(patched),
    ...tableLines(patched.table),
  ]);
});
