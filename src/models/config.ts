import { differences } from "../core/differences";
import { LuvitError, listOffenders } from "../core/errors";
import { configSchema } from "./configSchema";
import type { MaeConfig, ModelConfig } from "./configTypes";

export type {
  BlockSource,
  ClassifierConfig,
  ClipConfig,
  DetectorConfig,
  EncoderConfig,
  LanguageModelDescription,
  LanguageModelFileConfig,
  LlamaDescription,
  LlavitConfig,
  LoraConfig,
  MaeConfig,
  ModelConfig,
  PromptTemplate,
  SegmenterConfig,
} from "./configTypes";

/**
 * Checks what a config.json holds.
 * @throws LuvitError("bad-file") listing every entry that is missing, unknown or cannot be.
 */
export function parseModelConfig(path: string, value: unknown): ModelConfig {
  const result = configSchema().safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap(issueLines);
  throw new LuvitError("bad-file", `${path}: no model that this version can open\n${listOffenders(lines)}`);
}

type Issue = NonNullable<ReturnType<ReturnType<typeof configSchema>["safeParse"]>["error"]>["issues"][number];

function issueLines(issue: Issue): string[] {
  const at = (key?: string) => [...issue.path, ...(key === undefined ? [] : [key])].join(".") || "the file";
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => `${at(key)}: unknown`);
  if (issue.input === undefined) return [`${at()}: missing`];
  return [`${at()}: ${issue.message}`];
}

/** What decides the numbers a model computes; the rest of its config says where it came from and how it was used. */
function computing(config: ModelConfig): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !notComputed.has(key)));
}

const notComputed: ReadonlySet<string> = new Set([
  "luvitVersion",
  "frozen",
  "blockSource",
  "external",
  "classNames",
  "preprocessing",
  "decoderIsFresh",
  // A share of patches is drawn outside the model, which computes for any.
  "maskRatio",
  "template",
  "tokenizer",
]);

/** Where two models compute otherwise, or name their classes otherwise: "encoder.heads: was 2, now 4". */
export function modelDifferences(was: ModelConfig, now: ModelConfig): string[] {
  const names = (one: ModelConfig) => ("classNames" in one ? (one.classNames ?? undefined) : undefined);
  const renamed = names(was) && names(now) ? differences(names(was), names(now), "classNames") : [];
  return [...differences(computing(was), computing(now)), ...renamed];
}

/**
 * Where the parts that two models of whatever kinds have in common compute otherwise. Image sizes may differ: positions
 * are resized.
 */
export function sharedDifferences(was: ModelConfig, now: ModelConfig): string[] {
  const parts = (one: ModelConfig) => {
    const { encoder, decoder, lora } = one as Partial<MaeConfig>;
    const { imageSize: _, finalNorm: __, ...body } = encoder ?? {};
    return { encoder: body, lora, decoder };
  };
  const [before, after] = [parts(was), parts(now)];
  const both = before.decoder && after.decoder ? {} : { decoder: undefined };
  return differences({ ...before, ...both }, { ...after, ...both });
}
