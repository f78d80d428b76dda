import { checkOptions, entry, oneOf, optionsOf } from "../../core/options";
import type { Graph } from "../ir";
import { graphField } from "../options";
import { shareCommonSubexpressions } from "./commonSubexpressions";
import { foldConstants } from "./constants";
import { removeDeadCode } from "./deadCode";
import { AFTER, recomputeBlocks } from "./recompute";
import { simplify } from "./simplify";

export { AFTER, foldConstants, recomputeBlocks, removeDeadCode, shareCommonSubexpressions, simplify };

/** The passes in the order in which they help each other. */
const passes = [removeDeadCode, simplify, foldConstants, simplify, shareCommonSubexpressions, removeDeadCode];

/** Rounds after which even a graph that could still shrink is left alone. */
const MAX_ROUNDS = 5;

/** What to trade in a graph. */
export interface OptimizeOptions {
  /** "keep" (default) keeps what the gradients need; "recompute" keeps block inputs only (`recomputeBlocks`). */
  memory?: "keep" | "recompute";
}

export const optimizeOptions = optionsOf<OptimizeOptions>(
  {},
  {
    memory: entry(
      oneOf(["keep", "recompute"]),
      "blocks again instead of keeping what they computed",
      "recompute",
    ),
  },
);

/** Every pass, until the graph no longer shrinks. The result computes the same outputs from the same feeds. */
export function optimize(graph: Graph, options: OptimizeOptions = {}): Graph {
  checkOptions("optimize", graphField, graph);
  checkOptions("optimize", optimizeOptions, options);
  const smallest = shrink(graph);
  return options.memory === "recompute" ? recomputeBlocks(smallest) : smallest;
}

function shrink(graph: Graph): Graph {
  let best = graph;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = passes.reduce((current, pass) => pass(current), best);
    if (next.nodes.length === best.nodes.length && next.constants.length === best.constants.length)
      return next;
    best = next;
  }
  return best;
}
