import type { AnswerAttention } from "../../analysis/answers/answerAttention";
import { checkOptions, list, optionsOf, such } from "../../core/options";
import { printable } from "../../core/printable";
import { label } from "../options";
import { makePatchViewer, type PatchViewer } from "./patchViewer";

/** What `answerViewer` shows. */
export interface AnswerViewerOptions {
  title?: string;
  /** Which layers go into the page; default all. */
  layers?: readonly string[];
}

export const answerViewerOptions = optionsOf<AnswerViewerOptions>(
  {},
  { title: label, layers: list(label, 1) },
);

const attentionField = such<AnswerAttention>(
  "attention of an answer, from analysis.answerAttention",
  (value) => typeof value === "object" && value !== null && "layers" in value && "tokens" in value,
);

/**
 * Where each token of an answer looks in the image, per layer and head: token, layer and head are chosen by pointer, touch
 * or keys. A token's row is that of the token before it, which chooses it.
 *
 * @throws LuvitError("bad-argument") for layers that are not there, or more than a page bears.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language });
 * const image = luvit.data.toy.questions(1, 1).pixels(0);
 * const looked = await luvit.analysis.answerAttention(model, image, "what is it?", { answer: "star" });
 * await (await luvit.figures.answerViewer(looked)).save("answer.html");
 */
export async function answerViewer(
  attention: AnswerAttention,
  options: AnswerViewerOptions = {},
): Promise<PatchViewer> {
  checkOptions("answerViewer", attentionField, attention);
  checkOptions("answerViewer", answerViewerOptions, options);
  const { question, answer } = attention;
  const layers = options.layers ?? attention.layers.map(({ layer }) => layer);
  for (const layer of layers) attention.at(0, layer); // names what is not there
  const most = Math.max(
    ...attention.layers.filter(({ layer }) => layers.includes(layer)).map(({ heads }) => heads),
  );
  const heads = Array.from({ length: most }, (_, head) => String(head + 1));
  const last = layers.length - 1;
  const mean = (token: number, layer: string) => attention.at(token, layer);
  const map = ([token, layer, head]: readonly number[]) =>
    attention.at(token, layers[layer], head === 0 ? undefined : head - 1);
  const told = attention.tokens.map((word, token) => {
    const share = mean(token, layers[last]).reduce((sum, value) => sum + value, 0);
    return `“${printable(word)}” ${(100 * share).toFixed(0)} %`;
  });
  return makePatchViewer({
    where: "answerViewer",
    seen: attention.image,
    title: options.title ?? `${printable(question)} ${printable(answer)}`,
    hint: "Where the model looks when it chooses a token of its answer. Point at a patch, or move over them with the arrow keys.",
    axes: [
      { name: "token", choices: attention.tokens.map(printable) },
      { name: "layer", choices: layers.map(layerName) },
      { name: "head", choices: ["mean", ...heads] },
    ],
    start: [0, last, 0],
    unit: "of the attention",
    sum: "of the attention is on the image, the rest on text",
    map,
    still: layers.map((layer, i) => ({
      title: `“${printable(attention.tokens[0])}”, ${layerName(layer)}`,
      chosen: [0, i, 0],
    })),
    zTitle: "attention, mean of heads",
    summary: `attention on the image in ${layers[last]}, mean of heads: ${told.join(", ")}`,
  });
}

/** "layers.2" -> "block 3". */
export function layerName(layer: string): string {
  const [, number] = /^layers\.(\d+)(?:\.out)?$/.exec(layer) ?? [];
  return number === undefined ? layer : `block ${Number(number) + 1}`;
}
