import { openLlavit } from "../models/openLlavit";
import { ask } from "../train/ask";
import { command, UsageError } from "./command";

/** `luvit answer`. */
export const answerCommand = command({
  name: "answer",
  help: `  luvit answer <model> <image> <question>   what a language model that sees says of an image
      --temperature <t>                  0 (default): always the likeliest; above: drawn
      --seed <n>                         of what is drawn (default 0)
      --max-tokens <n>                   where an answer is cut off (default 64)
`,
  flags: {
    temperature: { type: "string" },
    seed: { type: "string" },
    "max-tokens": { type: "string" },
  },
  async run({ words, flags, print }) {
    const [folder, image, question, ...rest] = words;
    if (question === undefined || rest.length > 0)
      throw new UsageError("answer takes a model's folder, an image and a question in quotes");
    const options = {
      temperature: numberOf("temperature", flags.temperature),
      seed: numberOf("seed", flags.seed),
      maxTokens: numberOf("max-tokens", flags["max-tokens"]),
    };
    const model = await openLlavit(folder);
    print(await ask(model, image, question, options));
    return 0;
  },
});

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) return number;
  throw new UsageError(`answer: --${name} takes a number, got ${text}`);
}
