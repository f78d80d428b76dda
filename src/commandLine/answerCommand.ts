import { statSync } from "node:fs";
import { type EngineOptions, engineChoices } from "../engine/options";
import { openLlavit } from "../models/openLlavit";
import { ask } from "../train/ask";
import { command, UsageError } from "./command";

const ORDER = "luvit answer <model> <image> <question>";

/** `luvit answer`. */
export const answerCommand = command({
  name: "answer",
  help: `  ${ORDER}   what a language model that sees says of an image
      --temperature <t>                  0 (default): always the likeliest; above: drawn
      --seed <n>                         of what is drawn (default 0)
      --max-tokens <n>                   where an answer is cut off (default 64)
      --engine <e>                       ${engineChoices.engine.join(", ")} (default auto)
      --provider <p>                     ${engineChoices.provider.join(", ")}
      --precision <p>                    ${engineChoices.precision.join(", ")}
      --frozen <f>                       ${engineChoices.frozen.join(", ")}: weights in eight bits
      --threads <n>                      default as many as there are cores, one for a small model
`,
  flags: {
    temperature: { type: "string" },
    seed: { type: "string" },
    "max-tokens": { type: "string" },
    engine: { type: "string" },
    provider: { type: "string" },
    precision: { type: "string" },
    frozen: { type: "string" },
    threads: { type: "string" },
  },
  async run({ words, flags, print }) {
    const [folder, image, question, ...rest] = words;
    if (question === undefined || rest.length > 0)
      throw new UsageError("answer takes a model's folder, an image and a question in quotes");
    const options = {
      temperature: numberOf("temperature", flags.temperature),
      seed: numberOf("seed", flags.seed),
      maxTokens: numberOf("max-tokens", flags["max-tokens"]),
      engine: choiceOf("engine", flags.engine),
      provider: choiceOf("provider", flags.provider),
      precision: choiceOf("precision", flags.precision),
      frozen: choiceOf("frozen", flags.frozen),
      threads: numberOf("threads", flags.threads),
    };
    expectImage(image);
    const model = await openLlavit(folder);
    print(await ask(model, image, question, options));
    return 0;
  },
});

/** The model is opened first, which may take long. */
function expectImage(image: string): void {
  // What no path can be is named by whoever opens it.
  if (image.includes("\0") || !statSync(image, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new UsageError(`answer: ${image} is a folder, no image; the model comes first: ${ORDER}`);
}

function choiceOf<Name extends keyof typeof engineChoices>(
  name: Name,
  text: string | undefined,
): EngineOptions[Name] {
  const known: readonly string[] = engineChoices[name];
  if (text === undefined || known.includes(text)) return text as EngineOptions[Name];
  throw new UsageError(`answer: --${name} takes ${known.join(", ")}, got ${text}`);
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) return number;
  throw new UsageError(`answer: --${name} takes a number, got ${text}`);
}
