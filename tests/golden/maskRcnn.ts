import { boundOf, channelsFirst, compareResults } from "./detector";
import type { Execute } from "./execute";
import type { CaseRunner, Check } from "./harness";
import { Case, type Outputs } from "./maskRcnnCase";
import { inferenceChecks } from "./maskRcnnInference";
import { groupCheck, trainingChecks } from "./maskRcnnTraining";
import type { GoldenTensor } from "./readTensors";

export const maskRcnnRunner =
  (execute: Execute): CaseRunner =>
  async (folder, meta) => {
    const one = new Case(folder, meta, execute);
    const input = one.input();
    const first = await forward(one, input);
    return [
      ...compareResults(
        "input",
        new Map([["input", input.data]]),
        new Map([["input", one.io.get("network_input")!]]),
        boundOf(meta, "values"),
      ),
      ...first.checks,
      ...(await trainingChecks(one, input, first.outputs)),
      ...(await inferenceChecks(one, input, first.outputs)),
      groupCheck(one),
    ];
  };

/** The maps, and what the first stage says. */
async function forward(one: Case, input: GoldenTensor): Promise<{ checks: Check[]; outputs: Outputs }> {
  const model = one.model();
  const results = await one.execute({
    name: "first stage",
    model,
    inputs: { images: input },
    body: ({ images }) => {
      const maps = model.maps(images);
      const named = Object.fromEntries(maps.map((map, i) => [`map_p${i + 2}`, channelsFirst(map)]));
      return { ...named, vit_map: channelsFirst(model.backbone.net.forward(images)), ...model.regions(maps) };
    },
  });
  const names = [...results.keys()].filter((name) => name.includes("map"));
  const expected = new Map(names.map((name) => [name, one.io.get(name)!]));
  return {
    checks: compareResults("maps", results, expected, boundOf(one.meta, "values")),
    outputs: { logits: results.get("logits") as Float32Array, deltas: results.get("deltas") as Float32Array },
  };
}
