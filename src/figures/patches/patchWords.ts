import type { VisualTokens } from "../../analysis/answers/visualTokens";
import { checkOptions, optionsOf, such } from "../../core/options";
import { printable } from "../../core/printable";
import { label } from "../options";
import { layerName } from "./answerViewer";
import { makePatchViewer, type PatchViewer } from "./patchViewer";

/** What `patchWords` shows. */
export interface PatchWordsOptions {
  title?: string;
}

export const patchWordsOptions = optionsOf<PatchWordsOptions>({}, { title: label });

const visualField = such<VisualTokens>(
  "what patches say, from analysis.visualTokens",
  (value) => typeof value === "object" && value !== null && "sites" in value && "answers" in value,
);

/**
 * What each patch says: the likelihood of each answer at every patch, layer by layer. Answer and layer are chosen by pointer,
 * touch or keys.
 *
 * @throws LuvitError("bad-argument") for more than a page bears.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language });
 * const image = luvit.data.toy.questions(1, 1).pixels(0);
 * const said = await luvit.analysis.visualTokens(model, image, ["red", "blue"]);
 * await (await luvit.figures.patchWords(said)).save("words.html");
 */
export async function patchWords(
  tokens: VisualTokens,
  options: PatchWordsOptions = {},
): Promise<PatchViewer> {
  checkOptions("patchWords", visualField, tokens);
  checkOptions("patchWords", patchWordsOptions, options);
  const { answers, sites, image } = tokens;
  const last = sites.length - 1;
  const peaks = answers.map((answer) => Math.max(...tokens.of(sites[last].site, answer)));
  const strongest = peaks.indexOf(Math.max(...peaks));
  return makePatchViewer({
    where: "patchWords",
    seen: image,
    title: options.title ?? "What each patch says",
    hint: "How likely the answer is at each patch, read with the model's own norm and output layer. Point at a patch, or move over them with the arrow keys.",
    axes: [
      { name: "answer", choices: answers.map(printable) },
      { name: "layer", choices: sites.map(({ site }) => (site === "embed" ? "enters" : layerName(site))) },
    ],
    start: [strongest, last],
    unit: "likely",
    map: ([answer, site]) => tokens.of(sites[site].site, answers[answer]),
    still: answers.slice(0, 9).map((answer, i) => ({ title: printable(answer), chosen: [i, last] })),
    zTitle: "likelihood",
    summary: `likeliest at a patch of ${sites[last].site}: ${answers.map((answer, i) => `${printable(answer)} ${peaks[i].toPrecision(2)}`).join(", ")}`,
  });
}
