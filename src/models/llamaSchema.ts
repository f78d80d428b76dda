import type { zod } from "../core/options/zod";

/** Entries of config.json about a block of the LLaMA family. */
export function llamaSchema(z: ReturnType<typeof zod>) {
  const count = z.int().min(1).max(1e6);
  const positive = z.number().positive();
  const flag = z.boolean();

  const rope = z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("linear"), factor: positive }),
    z.strictObject({
      type: z.literal("llama3"),
      factor: positive,
      lowFrequencyFactor: positive,
      highFrequencyFactor: positive,
      originalLength: positive,
    }),
    z.strictObject({ type: z.literal("divisors"), divisors: z.array(positive) }),
    z.strictObject({ type: z.literal("other"), name: z.string() }),
  ]);

  return {
    dim: count,
    heads: count,
    kvHeads: count,
    headDim: count,
    hiddenDim: count,
    normEps: positive,
    causal: flag,
    slidingWindow: count.nullable(),
    rope: flag,
    ropeTheta: positive,
    ropeScaling: rope.nullable(),
    rowOrder: z.enum(["hf", "meta"]),
    qkvBias: flag,
    outputBias: flag,
    mlpBias: flag,
    qkNorm: flag,
  };
}
