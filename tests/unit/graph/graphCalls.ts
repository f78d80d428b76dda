import { LuvitError } from "../../../src/core/errors";
import { type Graph, graphText } from "../../../src/graph";
import { Calls } from "../../support/calls";
import { errorText } from "../../support/valueText";

/** A table of calls with graphs in it. */
export class GraphCalls extends Calls {
  /** The graph as text, a node a line, or why there is none. */
  graph(title: string, make: () => Graph): void {
    try {
      const lines = graphText(make()).trimEnd().split("\n").slice(1);
      this.lines.push(`${title}:`, ...lines.map((line) => `  ${line}`));
    } catch (error) {
      this.lines.push(`${title} ! ${errorText(error)}`);
    }
  }
}

/** A refusal without the places in this file that it names. */
export function unplaced<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof LuvitError)) throw error;
    throw new LuvitError(
      error.code,
      error.message.replace(/ at \S+:\d+:\d+( < \S+:\d+:\d+)*/g, " at <here>"),
    );
  }
}
