import { type Classifier, create } from "../../src/models/classifier";
import { through } from "../../src/models/fusion";
import type { CaseFile } from "./harness";
import { goldenBlock } from "./luvit";
import { load, stateDict, vitConfig } from "./support";

/** The three models of the cases that look inside: class token, mean pooling, mean pooling behind a LLaMA block. */
export type Kind = "cls" | "gap" | "luvit";

export function goldenClassifiers(
  folder: string,
  config: CaseFile["config"],
  kinds: readonly Kind[] = ["cls", "gap", "luvit"],
) {
  return kinds.map((kind): [Kind, Classifier] => {
    const own = kind === "luvit" ? config.luvit : config;
    const model = create({
      encoder: vitConfig(own),
      fusion: kind === "luvit" ? through(goldenBlock(own)) : undefined,
      classes: own.num_classes,
      pooling: kind === "cls" ? "cls" : "mean",
    });
    model.loadStateDict(stateDict(load(folder, `state_${kind}.safetensors`)));
    return [kind, model];
  });
}
