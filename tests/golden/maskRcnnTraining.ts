import { type Tensor, tf } from "../../src/core/tf";
import { Detector, LOSSES } from "../../src/models/detector/detector";
import { detectorAnchors, firstStage, proposalsOf, secondStage } from "../../src/models/detector/stages";
import { adamW } from "../../src/nn/ops";
import { detectorRules } from "../../src/optim/detectorRules";
import { boundOf, compareResults, renamed } from "./detector";
import { exactly, fedOf, recordedPermutations } from "./detectorTensors";
import { type Results, withGradients } from "./execute";
import { type Check, maxAbsError } from "./harness";
import { type Case, json, type Outputs } from "./maskRcnnCase";
import type { GoldenTensor } from "./readTensors";
import { type GoldenTensors, load } from "./support";
import { compareGradients, keyThird } from "./vitDet";

type Given = Readonly<Record<string, Tensor>>;

/** Recorded permutations of a stage; names begin with it. */
const permutations = (sampling: GoldenTensors, stage: string) => {
  const own = new Map(
    [...sampling]
      .filter(([name]) => name.startsWith(stage))
      .map(([name, t]) => [name.slice(stage.length), t]),
  );
  return (image: number) => recordedPermutations(own, image);
};

export async function trainingChecks(one: Case, input: GoldenTensor, outputs: Outputs): Promise<Check[]> {
  const { settings, images, sampling, meta, io } = one;
  const anchors = detectorAnchors(settings);
  const first = firstStage(settings, anchors, images, permutations(sampling, "rpn_"));
  const proposals = proposalsOf(settings, anchors, outputs, one.sizes, true);
  const second = secondStage(
    settings,
    images,
    proposals.map(({ boxes }) => boxes),
    permutations(sampling, "roi_"),
  );
  const model = one.model();
  const { optimizer } = meta.config;
  const rules = detectorRules(model, {
    weightDecay: optimizer.weight_decay,
    layerDecay: optimizer.layer_decay,
    depth: optimizer.num_layers,
  });
  const results = await one.execute({
    name: "step",
    model,
    inputs: { images: input, ...fedOf({ ...first.feeds, ...second.feeds }) },
    body: (given) => {
      const losses = model.losses(given);
      const gradients = withGradients(model, given, [], (fed) => model.loss(fed));
      const { logits, deltas } = model.boxes(model.maps(given.images), roisOf(given));
      return {
        losses: tf.stack([...LOSSES.map((name) => losses[name]!), model.loss(given)]),
        class_logits: logits,
        box_deltas: deltas,
        ...gradients,
        ...stepped(model, gradients, rules, optimizer),
      };
    },
  });
  const golden = renamed(load(one.folder, "grads.safetensors"), (name) => `grad.${name}`);
  const values = new Map([
    ["losses", io.get("losses")!],
    ...["class_logits", "box_deltas"].map((name) => [name, sampling.get(name)!] as const),
  ]);
  return [
    ...images.flatMap((_, i) => [
      exactly(`sampled anchors ${i}`, first.drawn[i].objects, sampling.get(`rpn_pos_${i}`)),
      exactly(`sampled background ${i}`, first.drawn[i].background, sampling.get(`rpn_neg_${i}`)),
      exactly(`sampled classes ${i}`, second.drawn[i].labels, sampling.get(`roi_class_${i}`)),
      ...compareResults(
        `proposals ${i}`,
        new Map([["boxes", proposals[i].boxes]]),
        new Map([["boxes", sampling.get(`proposal_boxes_${i}`)!]]),
        boundOf(meta, "boxes"),
      ),
    ]),
    ...compareResults("training", results, values, boundOf(meta, "values")),
    ...compareGradients("gradients", results, golden, meta),
    parameterCheck(one, results, golden),
  ];
}

const roisOf = (given: Given): Given =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      name.startsWith("rois.") ? [[name.slice(5), value]] : [],
    ),
  );

/** Parameters behind the first step, as "after.<path>". */
function stepped(
  model: Detector,
  gradients: Record<string, Tensor>,
  rules: ReturnType<typeof detectorRules>,
  { lr, betas: [beta1, beta2], eps }: { lr: number; betas: number[]; eps: number },
): Record<string, Tensor> {
  const schedule = tf.tensor1d([lr, 1 - beta1, 1 - beta2]);
  const parameters = new Map(model.namedParameters());
  return Object.fromEntries(
    [...rules].map(([path, { weightDecay, lrScale }]) => {
      const parameter = parameters.get(path)!.value;
      const zeros = tf.zerosLike(parameter);
      const operands = {
        parameter,
        gradient: gradients[`grad.${path}`],
        average: zeros,
        squares: zeros,
        schedule,
      };
      return [`after.${path}`, adamW(operands, { beta1, beta2, eps, weightDecay, lrScale })[0]];
    }),
  );
}

/** Numbers whose gradient is near rounding noise are not compared: the first step moves them either way. */
function parameterCheck(one: Case, results: Results, gradients: GoldenTensors): Check {
  let worst = 0;
  for (const [path, { data }] of load(one.folder, "params_after.safetensors")) {
    const actual = results.get(`after.${path}`) ?? [];
    const gradient = gradients.get(`grad.${path}`)!.data;
    const noise = new Set(path.endsWith("attn.qkv.bias") ? keyThird(Array.from(data.keys())) : []);
    const kept = Array.from(data.keys()).filter((i) => Math.abs(gradient[i]) >= 1e-6 && !noise.has(i));
    worst = Math.max(
      worst,
      maxAbsError(
        kept.map((i) => actual[i]),
        kept.map((i) => data[i]),
      ),
    );
  }
  return {
    name: "parameters after a step",
    error: worst,
    tolerance: one.meta.recommended_tolerance.params_abs,
  };
}

export function groupCheck({ meta, folder, ...one }: Case): Check {
  const { optimizer } = meta.config;
  const rules = detectorRules(new Detector(one.settings), {
    weightDecay: optimizer.weight_decay,
    layerDecay: optimizer.layer_decay,
    depth: optimizer.num_layers,
  });
  const golden = json<Record<string, { lr_scale: number; weight_decay: number }>>(
    folder,
    "param_groups.json",
  );
  const wrong = Object.entries(golden).filter(([path, { lr_scale: scale, weight_decay: decay }]) => {
    const rule = rules.get(path);
    return !rule || rule.weightDecay !== decay || Math.abs(rule.lrScale - scale) > 1e-15;
  });
  return {
    name: "parameter groups",
    error: wrong.length + Math.abs(Object.keys(golden).length - rules.size),
    tolerance: 0,
  };
}
