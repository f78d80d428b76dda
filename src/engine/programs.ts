import { LuvitError, listOffenders } from "../core/errors";
import type { Graph, GraphInput } from "../graph/ir";
import type { Program, Programs } from "./executor";

/**
 * State entries of all programs, each once.
 *
 * @throws LuvitError("bad-argument") where two disagree on a shape.
 */
export function commonState(programs: Programs): GraphInput[] {
  const entries = new Map<string, GraphInput>();
  const problems: string[] = [];
  for (const [name, { graph }] of Object.entries(programs)) {
    for (const entry of graph.state) {
      const known = entries.get(entry.name) ?? entry;
      entries.set(entry.name, known);
      const [found, expected] = [entry, known].map(
        ({ value }) => `${value.dtype}[${value.shape.join(", ")}]`,
      );
      if (found !== expected) problems.push(`${entry.name}: ${found} in ${name}, ${expected} elsewhere`);
    }
  }
  if (problems.length === 0) return [...entries.values()];
  throw new LuvitError(
    "bad-argument",
    `programs share state that does not agree\n${listOffenders(problems)}`,
  );
}

/**
 * Outputs that are not new state.
 *
 * @throws LuvitError("bad-argument") when the guard is none of them.
 */
export function resultsOf({ graph, guard }: Program): string[] {
  const state = new Set(graph.state.map(({ name }) => name));
  const results = graph.outputs.map(({ name }) => name).filter((name) => !state.has(name));
  if (guard === undefined || results.includes(guard)) return results;
  throw new LuvitError("bad-argument", `guard: graph ${graph.name} has no result "${guard}"`);
}

/** State entries whose values a graph replaces. */
export function changedState(graph: Graph): string[] {
  const state = new Set(graph.state.map(({ name }) => name));
  return graph.outputs.map(({ name }) => name).filter((name) => state.has(name));
}

/** Weights that matrices are multiplied with and no program changes. */
export function frozenFactors(programs: Programs): Set<string> {
  const graphs = Object.values(programs).map(({ graph }) => graph);
  const changed = new Set(graphs.flatMap(changedState));
  const factors = graphs.flatMap(({ nodes, state }) => {
    const products = nodes.filter(({ op }) => op === "BatchMatMul");
    const multiplied = new Set(products.flatMap(({ inputs }) => inputs));
    return state.filter(({ value }) => value.dtype === "float32" && multiplied.has(value.id));
  });
  return new Set(factors.map(({ name }) => name).filter((name) => !changed.has(name)));
}

/**
 * Gradients can wait, or be scaled together, only where AdamW comes behind the graph and nothing else of the state
 * changes in it.
 *
 * @throws LuvitError("engine") naming the state that `graph`, without its updates, still changes.
 */
export function expectOnlyUpdates(doing: string, graph: Graph): void {
  const changed = changedState(graph);
  if (changed.length === 0) return;
  throw new LuvitError(
    "engine",
    `${doing}, but the graph "${graph.name}" itself changes ${changed.join(", ")}`,
  );
}

/** @throws LuvitError("engine") naming programs that expect their gradients to be divided by a scale of the loss. */
export function refuseLossScale(engine: string, programs: Programs): void {
  const scaled = Object.keys(programs).filter((name) => programs[name].lossScale !== undefined);
  if (scaled.length === 0) return;
  const message = `${engine} does not scale losses, which ${scaled.join(", ")} needs: it computes in float16 only on webgpu`;
  throw new LuvitError("engine", message);
}

/** @throws LuvitError("bad-argument") for a program nobody opened. */
export function programNamed<T>(programs: ReadonlyMap<string, T>, name: string): T {
  const program = programs.get(name);
  if (program !== undefined) return program;
  const known = [...programs.keys()].join(", ");
  throw new LuvitError("bad-argument", `run: no program "${name}" is open; there are: ${known}`);
}
