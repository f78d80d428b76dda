import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import { checkOptions } from "../../core/options";
import { describeNonFinite } from "../../io/bytes";
import { readMaeCheckpoint, type WeightPartOptions } from "../../io/checkpoint";
import { source as sourceArgument } from "../../io/options";
import type { LoadReport } from "../../nn/loadStateDict";
import { type LoadModelOptions, loadModel, type OpenModelOptions, openModel } from "../openModel";
import { partOptions } from "../options";
import type { Detector } from "./detector";
import { detectorState, ENCODER_LACKS } from "./names";
import { detectorField } from "./options";

/** What the files of detectron2 also hold, and no parameter is. */
const notParameters = [
  "pixel_mean",
  "pixel_std",
  "anchor_generator.",
  "proposal_generator.anchor_generator.",
];

/**
 * Loads a checkpoint into a detector: one of detectron2's or mmdetection's ViTDet (.pth, the model zoo's .pkl, or safetensors with
 * their names),
 * or an encoder of MAE, LUViT or timm, whose parts take the encoder's place by their whole names; everything else then
 * keeps its fresh weights.
 *
 * @throws LuvitError("key-mismatch" | "shape-mismatch" | "non-finite") listing every key that does not fit.
 */
export async function loadDetectorCheckpoint(
  model: Detector,
  path: string,
  part: WeightPartOptions = {},
): Promise<LoadReport> {
  checkOptions("detector.loadCheckpoint", detectorField, model);
  checkOptions("detector.loadCheckpoint", sourceArgument, { path });
  checkOptions("detector.loadCheckpoint", partOptions, part);
  const { tensors, notes, ...read } = await readMaeCheckpoint(path, part);
  const { state, kind } = detectorState(tensors);
  // What all names of a detector begin with is no wrapper, which the reader's own words would ask after.
  const source = kind === "encoder" ? read.source : path;
  const parameters = [...model.namedParameters()].map(([name]) => name);
  expectFinite(state, parameters, source);
  if (kind !== "encoder") {
    return model.loadStateDict(state, { source, notes, allowUnexpected: notParameters });
  }
  const relative = parameters.filter((name) => /\.rel_pos_[hw]$/.test(name));
  const fusion = ["llama_dim_mapper1.", "llama.", "mlp_norm.", "llama_dim_mapper2."].map(
    (name) => `backbone.net.${name}`,
  );
  return model.loadStateDict(state, {
    source,
    notes: [...notes, "the encoder alone: pyramid and heads are fresh"],
    allowMissing: [...ENCODER_LACKS, ...relative, ...fusion],
  });
}

function expectFinite(state: StateDict, names: readonly string[], source: string): void {
  const faults = names.flatMap((name) => {
    const tensor = state.get(name);
    const fault = tensor && tensor.problem === undefined ? describeNonFinite(tensor) : undefined;
    return fault ? [`${name}: ${fault}`] : [];
  });
  if (faults.length === 0) return;
  const text = `${source}: numbers that nothing can be computed with\n${listOffenders(faults)}`;
  throw new LuvitError("non-finite", text);
}

/** The detector that `model.save(folder)` wrote. See `classifier.load`. */
export function loadDetectorFolder(folder: string, options: LoadModelOptions = {}): Promise<Detector> {
  return loadModel("luvit-detector", folder, options);
}

/** The detector of a run's folder (its newest checkpoint), or of one that `model.save` wrote. */
export function openDetector(path: string, options: OpenModelOptions = {}): Promise<Detector> {
  checkOptions("detector.open", sourceArgument, { path });
  return openModel("luvit-detector", path, options);
}
