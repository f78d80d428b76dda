import { toy } from "../src/data";
import { chooseEngine } from "../src/engine/choose";
import { llavit, mae, vit } from "../src/models";
import type { Llavit } from "../src/models/llavit/llavit";
import { promptOf } from "../src/models/llavit/prompt";
import { ask as askModel } from "../src/train/ask";
import { alternate, type Run, timed } from "./core/alternate";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import type { BenchOptions } from "./core/options";
import { Peer, peerProblem } from "./core/peer";
import type { Report } from "./core/report";
import { median } from "./core/statistics";

/** Tokens of an answer: as many as "yellow", its end and one more. */
const TOKENS = 8;
const layers = [1, 3, 4];

/** Milliseconds of questions, one after another. */
interface Times {
  /** The first one of all, with what it gets ready. */
  first: number;
  median: number;
  p90: number;
  max: number;
}

/** Answers of so many tokens about an image and a question that differ each time. */
export interface AskResult extends Heading {
  answer_tokens: number;
  ms: Times;
  peer: { description: string; ms: Times; ratio: number } | null;
  notes: string[];
}

/** Questions about drawings, asked of LLaViT at toy scale; the peer is transformers' LLaVA of the same sizes. */
export async function ask(options: BenchOptions): Promise<Report> {
  const model = await toyModel();
  const set = toy.questions(1, 64);
  // Drawn before they are asked about: some drawings take longer than their answers.
  const images = Array.from({ length: set.length }, (_, i) => set.pixels(i));
  const { engine, precision, frozen, provider } = options;
  const wish = { engine, precision, frozen, provider };
  let asked = 0;
  const ours = timed(async () => {
    const i = asked++ % set.length;
    const said = await askModel(model, images[i], set.question(i).question, {
      ...wish,
      maxTokens: TOKENS,
    });
    return said.length;
  });
  const notes: string[] = [];
  const peers = await startPeers(options, model, notes);
  const sides = [ours, ...peers.map(([peer]) => peer)];
  const firsts: Run[] = [];
  for (const side of sides) firsts.push(await side.run());
  const runs = await alternate(sides, options);
  const [own, theirs] = runs.map((side, i) => timesOf(firsts[i], side));
  const ratio = theirs && median(runs[1].map(({ ms }, i) => ms / runs[0][i].ms));
  const json: AskResult = {
    ...headingOf({ ...options, preset: "toy" }, 1, chooseEngine(wish).engine),
    answer_tokens: TOKENS,
    ms: own,
    peer: theirs ? { description: peers[0][1].description, ms: theirs, ratio } : null,
    notes,
  };
  for (const [peer] of peers) await peer.close();
  return { json: { ...noFigures, ...json }, text: textOf(json) };
}

async function toyModel(): Promise<Llavit> {
  const language = await llavit.languageModel("data/llama-toy");
  const tower = mae.create({ encoder: vit.toy, decoder: mae.decoderToy });
  // An end that nothing says by chance, so that all answers are of one length.
  const template = { ...llavit.plainTemplate, end: "\n".repeat(TOKENS + 1) };
  const parts = { visionQkv: "full", visionMask: "bidirectional", layers } as const;
  return llavit.create({ tower, language, template, ...parts });
}

function timesOf({ ms: first }: Run, runs: readonly Run[]): Times {
  const sorted = runs.map(({ ms }) => ms).sort((a, b) => a - b);
  const p90 = sorted[Math.ceil(0.9 * sorted.length) - 1];
  return { first, median: median(sorted), p90, max: sorted.at(-1)! };
}

async function startPeers(
  { peer }: BenchOptions,
  model: Llavit,
  notes: string[],
): Promise<[Peer, { description: string }][]> {
  if (peer === undefined) return [];
  const problem = peer === "torch" ? peerProblem(["torch", "transformers"]) : "ask has no such peer";
  if (problem !== undefined) {
    notes.push(`NO PEER: ${problem}`);
    return [];
  }
  const { ids } = promptOf(model, "what is behind it?");
  const job = {
    tower: model.vision_tower.config,
    language: model.language.config,
    layers,
    text: ids.length - model.patches,
    tokens: TOKENS,
  };
  return [await Peer.start<{ description: string }>("ask_peer.py", job)];
}

function textOf(result: AskResult): string {
  const line = (who: string, { first, median: middle, p90, max }: Times) => {
    const [a, b, c, d] = [first, middle, p90, max].map((ms) => `${ms.toFixed(0)} ms`);
    return `${who}: first ${a}; then median ${b}, p90 ${c}, most ${d}`;
  };
  const { peer, notes, ms, answer_tokens, engine } = result;
  return [
    ...headingText(result),
    `answers of ${answer_tokens} tokens`,
    line(`  ${engine}`, ms),
    ...(peer
      ? [line(`  ${peer.description}`, peer.ms), `  peer's time / ours ${peer.ratio.toFixed(2)}`]
      : []),
    ...notes.map((note) => `!! ${note}`),
  ].join("\n");
}
