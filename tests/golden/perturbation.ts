import { areaUnder, blurKernel, blurred, bySaliency, steps } from "../../src/analysis/relevance/perturbation";
import { softmaxOf } from "../../src/analysis/softmax";
import type { EngineOptions } from "../../src/engine";
import type { Classifier } from "../../src/models/classifier";
import { openComputation } from "./compute";
import { type CaseFile, type Check, maxAbsError } from "./harness";
import { atStep, type GoldenTensors } from "./support";

/** The curves of RISE with the case's saliency. */
export async function runPerturbation(
  model: Classifier,
  golden: GoldenTensors,
  { config, recommended_tolerance: tolerance, results }: CaseFile,
  engine?: EngineOptions,
): Promise<Check[]> {
  const { step, kernel_size, kernel_sigma } = config.rise;
  const images = golden.get("images")!;
  const [count, , height, width] = images.shape;
  const kernel = blurKernel(kernel_size, kernel_sigma);
  const soft = blurred(images.data as Float32Array, height, width, kernel);
  const { run, dispose } = await openComputation(
    model,
    { images: [1, 3, height, width] },
    ({ images }) => ({ logits: model.forward(images) }),
    engine,
  );
  const chances = async (image: Float32Array) => softmaxOf((await run({ images: image })).logits);
  const curves: Record<string, number[]> = { del: [], ins: [] };
  const areas: Record<string, number[]> = { del: [], ins: [] };
  for (let i = 0; i < count; i++) {
    const image = atStep(images, i).data as Float32Array;
    const size = image.length;
    const whole = await chances(image);
    const named = whole.indexOf(Math.max(...whole));
    const order = bySaliency(atStep(golden.get("rise.saliency")!, i).data);
    const ends = { del: [image, new Float32Array(size)], ins: [soft.slice(i * size, (i + 1) * size), image] };
    for (const [name, [start, end]] of Object.entries(ends)) {
      const curve: number[] = [];
      for (const image of steps(start, end, order, step)) curve.push((await chances(image))[named]);
      curves[name].push(...curve);
      areas[name].push(areaUnder(curve));
    }
  }
  await dispose();
  const compare = (name: string, actual: ArrayLike<number>, bound: number): Check => ({
    name: `rise.${name}`,
    error: maxAbsError(actual, golden.get(`rise.${name}`)!.data),
    tolerance: bound,
  });
  return [
    compare("kernel", kernel, 1e-7),
    compare("blurred", soft, 1e-5),
    compare("del", curves.del, tolerance.curves_abs),
    compare("ins", curves.ins, tolerance.curves_abs),
    { name: "deletion", error: maxAbsError(areas.del, results.auc_deletion), tolerance: tolerance.auc_abs },
    { name: "insertion", error: maxAbsError(areas.ins, results.auc_insertion), tolerance: tolerance.auc_abs },
  ];
}
