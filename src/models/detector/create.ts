import { LuvitError } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import { checkOptions, such } from "../../core/options";
import type { Classifier } from "../classifier";
import { fusionPlan, type MaskedAutoencoder } from "../mae";
import { has } from "../options";
import { Detector } from "./detector";
import { ENCODER_LACKS, encoderState } from "./names";
import {
  type DetectorHeadOptions,
  type DetectorOptions,
  detectorHeadOptions,
  detectorOptions,
  detectorSettings,
} from "./options";

/**
 * A detector with fresh weights, ViTDet with Mask R-CNN: objects' boxes, classes and masks.
 *
 * @throws LuvitError("bad-argument")
 * @example
 * const model = luvit.detector.create({ encoder: luvit.vit.base16, classes: 80 });
 */
export function create(options: DetectorOptions): Detector {
  checkOptions("detector.create", detectorOptions, options);
  const { encoder, fusion, seed, classNames } = options;
  return new Detector(detectorSettings(encoder, options), { fusion: fusionPlan(fusion), seed, classNames });
}

const pretrainedField = such<MaskedAutoencoder | Classifier>(
  "a masked auto-encoder or a classifier",
  (value) => has(value, "encoder", "namedParameters"),
);

/**
 * A detector on a copy of a pretrained encoder and, where it has one, of its fusion path; frozen weights are shared.
 * Its final norm, class token, decoder and head are left out, as ViTDet does.
 *
 * @throws LuvitError("bad-argument")
 * @example
 * const pretrained = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.detector.fromPretrained(pretrained, { classes: 6, imageSize: 128, windowSize: 4 });
 */
export async function fromPretrained(
  pretrained: MaskedAutoencoder | Classifier,
  options: DetectorHeadOptions,
): Promise<Detector> {
  checkOptions("detector.fromPretrained", pretrainedField, pretrained);
  checkOptions("detector.fromPretrained", detectorHeadOptions, options);
  const { config, fusion } = pretrained.encoder;
  if (fusion?.plan.normFirst) {
    const why = "its fusion path stands behind the final norm (normFirst), which a detector has not";
    throw new LuvitError("bad-argument", `detector.fromPretrained: ${why}`);
  }
  const { seed, classNames } = options;
  const path = await fusion?.clone();
  const model = new Detector(detectorSettings(config, options), { fusion: path, seed, classNames });
  const state: StateDict = new Map();
  for (const [key, tensor] of encoderState(await pretrained.encoder.stateDict()))
    if (!/^backbone\.net\.(llama|mlp_norm)/.test(key)) state.set(key, tensor);
  const relative = [...model.namedParameters()]
    .map(([name]) => name)
    .filter((name) => name.includes(".rel_pos_"));
  const own = ["backbone.net.llama", "backbone.net.mlp_norm"];
  model.loadStateDict(state, { allowMissing: [...ENCODER_LACKS, ...own, ...relative] });
  return model;
}
