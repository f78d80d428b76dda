import { type Tensor, tf } from "../../src/core/tf";
import type { MaeInputs } from "../../src/models/mae";
import { AdamW } from "../../src/optim/adamw";
import { lossAndGradients } from "../../src/optim/gradients";
import { ask } from "../../src/train/teacherAnswers";
import { hiddenSamples, type LossSample, softSamples, withGradients } from "./distillLosses";
import { maeModels, maeVariants, stepModels } from "./distillModels";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { compareParameters } from "./luvit";
import { absolute, atStep, compareAll, hostGradients, load, tensor } from "./support";

type Tolerances = Record<string, number>;

/** Loss and gradients of every sample, computed by `run`. */
export async function checkSamples(
  samples: readonly LossSample[],
  run: (sample: LossSample) => Promise<Record<string, ArrayLike<number>>>,
  tolerance: Tolerances,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const sample of samples) {
    const found = await run(sample);
    const error = maxAbsError(found.loss, sample.expected.data);
    checks.push({ name: sample.name, error, tolerance: tolerance.loss_abs });
    for (const [name, golden] of Object.entries(sample.gradients)) {
      const error = maxAbsError(found[`d ${name}`], golden.data);
      checks.push({ name: `${sample.name}, gradient of ${name}`, error, tolerance: tolerance.grads_abs });
    }
  }
  return checks;
}

/** At once, by tfjs. */
async function eager(sample: LossSample): Promise<Record<string, ArrayLike<number>>> {
  const results = tf.tidy(() => {
    const inputs = Object.entries(sample.inputs).map(([name, golden]) => [name, tensor(golden)] as const);
    return withGradients(sample, Object.fromEntries(inputs));
  });
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, value.dataSync()]));
}

const samplesOf = { distill_soft: softSamples, distill_hidden: hiddenSamples };

/** The losses of `distill_soft` and `distill_hidden`. */
const runDistillLosses: CaseRunner = async (folder, meta) => {
  const samples = samplesOf[meta.case as keyof typeof samplesOf](meta, load(folder, "tensors.safetensors"));
  return checkSamples(samples, eager, meta.recommended_tolerance);
};

export const lossSamplesOf = samplesOf;

const runDistillStep: CaseRunner = async (folder, meta) => {
  const { config, recommended_tolerance: tolerance } = meta;
  const io = load(folder, "io.safetensors");
  const { taught, rules, loss } = stepModels(folder, meta);
  const before = await taught.stateDict({ prefix: "teacher." });
  const imagesAt = (step: number) => tensor(atStep(io.get("images")!, step));
  const checks: Check[] = [
    absolute(
      "step 1 logits",
      taught.student.forward(imagesAt(0)),
      io.get("step1_logits")!,
      tolerance.logits_abs,
    ),
  ];
  const optimizer = new AdamW(taught, rules, { betas: config.betas, eps: config.eps });
  for (let step = 0; step < config.steps; step++) {
    const { logits, layers } = ask(taught.teacher!, imagesAt(step));
    const features = layers.get("fusion.mapper2")!;
    checks.push(
      absolute(
        `teacher's logits ${step + 1}`,
        logits,
        atStep(io.get("teacher_logits")!, step),
        tolerance.logits_abs,
      ),
      absolute(
        `teacher's tokens ${step + 1}`,
        features,
        atStep(io.get("teacher_features")!, step),
        tolerance.logits_abs,
      ),
    );
    const fed: Record<string, Tensor> = {
      images: imagesAt(step),
      targets: tensor(atStep(io.get("soft_targets")!, step)),
    };
    const found = lossAndGradients(() => loss(fed), optimizer.variables());
    const expected = atStep(io.get("losses")!, step).data[0];
    checks.push({
      name: `loss ${step + 1}`,
      error: maxAbsError(found.loss.dataSync(), [expected]),
      tolerance: tolerance.loss_abs,
    });
    optimizer.update(found.gradients, config.lrs[step]);
    const host = hostGradients(found.gradients);
    const bounds = { abs: tolerance.grads_abs, relative: tolerance.grads_rel_to_tensor_max };
    if (step === 0)
      checks.push(...compareAll("first gradients", host, load(folder, "grads_step1.safetensors"), bounds));
  }
  checks.push(...(await compareParameters(folder, taught, tolerance)));
  const after = await taught.stateDict({ prefix: "teacher." });
  const moved = [...before].filter(([path, { data }]) => maxAbsError(after.get(path)!.data, data) !== 0);
  checks.push({ name: "teacher's weights that changed", error: moved.length, tolerance: 0 });
  return checks;
};

const runDistillMae: CaseRunner = async (folder, meta) => {
  const { recommended_tolerance: tolerance } = meta;
  const io = load(folder, "io.safetensors");
  return maeVariants(meta).flatMap((variant) => {
    const { whole, student, rules, loss, mask, inputs, rename } = maeModels(folder, meta, variant);
    const fed = inputs();
    const variables = new Map([...whole.namedParameters()].filter(([path]) => rules.has(path)));
    const found = lossAndGradients(
      () => loss(fed as unknown as Record<string, Tensor>),
      new Map([...variables].map(([path, { value }]) => [path, value])),
    );
    const golden = load(folder, `grads_${variant}.safetensors`);
    const expected = new Map([...golden].map(([name, one]) => [rename(name), one]));
    const prediction = student.decode(student.encode(fed as MaeInputs), fed.restoreRows);
    return [
      { name: `${variant}: mask`, error: maxAbsError(mask.mask, io.get("mask")!.data), tolerance: 0 },
      {
        name: `${variant}: ids`,
        error: maxAbsError(mask.idsRestore, io.get("ids_restore")!.data),
        tolerance: 0,
      },
      absolute(
        `${variant}: pixels`,
        student.loss(fed),
        io.get(`${variant}.loss_pixels`)!,
        tolerance.loss_abs,
      ),
      absolute(`${variant}: prediction`, prediction, io.get(`${variant}.pred`)!, tolerance.pred_abs),
      absolute(`${variant}: loss`, found.loss, io.get(`${variant}.loss`)!, tolerance.loss_abs),
      ...compareAll(`${variant}: gradients`, hostGradients(found.gradients), expected, {
        abs: tolerance.grads_abs,
        relative: tolerance.grads_rel_to_tensor_max,
      }),
    ];
  });
};

/** Cases of distillation, op by op. */
export const distillRunners: Readonly<Record<string, CaseRunner>> = {
  distill_soft: runDistillLosses,
  distill_hidden: runDistillLosses,
  distill_step: runDistillStep,
  distill_mae: runDistillMae,
};
