import { memoryOf } from "../../src/engine/process/memory";
import { type LoadBlockOptions, loadBlock } from "../../src/models/llama";
import { answerParent } from "./child";

export interface LoadQuestion {
  path: string;
  options: LoadBlockOptions;
}

/** Peaks of a process that loads one block and nothing else, 1e6 bytes. */
export interface LoadPeaks {
  before: number;
  loaded: number;
  /** After every parameter was widened to float32, one after the other, as handing them to an engine does. */
  used: number;
}

answerParent(async ({ path, options }: LoadQuestion): Promise<LoadPeaks> => {
  const peak = () => (memoryOf(process.pid)?.peak ?? process.resourceUsage().maxRSS * 1024) / 1e6;
  const before = peak();
  const block = await loadBlock(path, options);
  const loaded = peak();
  for (const [, parameter] of block.namedParameters()) await parameter.peek();
  return { before, loaded, used: peak() };
});
