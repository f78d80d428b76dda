import type { HostTensor, StateDict } from "../../core/hostTensor";

/** Where the encoder lies in a detector. */
export const ENCODER = "backbone.net.";

/** What pretrained encoders have not: everything behind the map. `rel_pos` of the blocks is filled in. */
export const ENCODER_LACKS = ["backbone.simfp_", "proposal_generator.", "roi_heads."];

/** Of pretraining and finetuning files, what a detector has no place for. */
const unused = ["cls_token", "mask_token", "decoder_", "norm.", "fc_norm.", "head."];

/** A pretrained encoder's tensors under a detector's names: exact prefixes, never endings. */
export function encoderState(tensors: StateDict): StateDict {
  const kept = [...tensors].filter(([key]) => !unused.some((beginning) => key.startsWith(beginning)));
  return new Map(kept.map(([key, tensor]) => [ENCODER + key, tensor]));
}

/** mmdetection's names of what has other ones in detectron2. */
const renames: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^backbone\./, "backbone.net."],
  [/^neck\.fpn1\.(\d)\./, "backbone.simfp_2.$1."],
  [/^neck\.fpn2\.0\./, "backbone.simfp_3.0."],
  [/^neck\.lateral_convs\.0\./, "backbone.simfp_2.4."],
  [/^neck\.lateral_convs\.1\./, "backbone.simfp_3.1."],
  [/^neck\.lateral_convs\.2\./, "backbone.simfp_4.0."],
  [/^neck\.lateral_convs\.3\./, "backbone.simfp_5.1."],
  [/^neck\.fpn_convs\.0\./, "backbone.simfp_2.5."],
  [/^neck\.fpn_convs\.1\./, "backbone.simfp_3.2."],
  [/^neck\.fpn_convs\.2\./, "backbone.simfp_4.1."],
  [/^neck\.fpn_convs\.3\./, "backbone.simfp_5.2."],
  [/^rpn_head\.rpn_conv\.(\d)\.conv\./, "proposal_generator.rpn_head.conv.conv$1."],
  [/^rpn_head\.rpn_cls\./, "proposal_generator.rpn_head.objectness_logits."],
  [/^rpn_head\.rpn_reg\./, "proposal_generator.rpn_head.anchor_deltas."],
  [/^roi_head\.bbox_head\.shared_convs\.(\d)\./, "roi_heads.box_head.conv$1."],
  [/^roi_head\.bbox_head\.shared_fcs\.0\./, "roi_heads.box_head.fc1."],
  [/^roi_head\.bbox_head\.fc_cls\./, "roi_heads.box_predictor.cls_score."],
  [/^roi_head\.bbox_head\.fc_reg\./, "roi_heads.box_predictor.bbox_pred."],
  [/^roi_head\.mask_head\.convs\.(\d)\./, "roi_heads.mask_head.mask_fcn$1."],
  [/^roi_head\.mask_head\.upsample\./, "roi_heads.mask_head.deconv."],
  [/^roi_head\.mask_head\.conv_logits\./, "roi_heads.mask_head.predictor."],
];

/** Of mmdetection's list of convolutions, from 0, detectron2's number, from 1. */
const counted = /^(roi_heads\.(?:box_head\.conv|mask_head\.mask_fcn))(\d)\./;

/** What a parameter of mmdetection's ViTDet is called in detectron2. */
export function detectron2Name(name: string): string {
  const rename = renames.find(([pattern]) => pattern.test(name));
  if (!rename) return name;
  return name
    .replace(...(rename as [RegExp, string]))
    .replace(counted, (_, beginning, number) => `${beginning}${Number(number) + 1}.`)
    .replace(/\.norm_layer\./, ".norm.")
    .replace(/\.conv\.(weight|bias)$/, ".$1");
}

/** Whose names the tensors of a file have. */
export type FileKind = "detectron2" | "mmdetection" | "encoder";

export function kindOf(names: Iterable<string>): FileKind {
  const all = [...names];
  if (all.some((name) => name.startsWith("backbone.net."))) return "detectron2";
  return all.some((name) => /^(neck|rpn_head|roi_head)\./.test(name)) ? "mmdetection" : "encoder";
}

/** The tensors of a file under a detector's names. */
export function detectorState(tensors: ReadonlyMap<string, HostTensor>): {
  state: StateDict;
  kind: FileKind;
} {
  const kind = kindOf(tensors.keys());
  const whole: StateDict = new Map(tensors);
  if (kind === "encoder") return { state: encoderState(whole), kind };
  if (kind === "detectron2") return { state: whole, kind };
  return { state: new Map([...whole].map(([name, tensor]) => [detectron2Name(name), tensor])), kind };
}
