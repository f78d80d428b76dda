import { LuvitError, type LuvitErrorCode } from "../../core/errors";
import type { FilePlace } from "../../core/hostTensor";
import type { Place } from "../../core/writeNumbers";
import type { Graph, GraphConstant } from "../../graph/ir";
import type {
  ArraysByName,
  EngineDescription,
  OpenOptions,
  Program,
  Programs,
  RunOptions,
  TypedArray,
} from "../executor";

/** What an engine process is asked to do; `executor` is a number that the asking side gives. */
export type Request =
  | { act: "open"; executor: number; programs: SentPrograms; options: OpenOptions }
  | { act: "run"; executor: number; program: string; options: RunOptions }
  | { act: "read"; executor: number; names: readonly string[] }
  | { act: "save"; executor: number; path: string; places: readonly (readonly [string, Place])[] }
  | { act: "load"; executor: number; files: readonly (readonly [string, FilePlace])[] }
  | { act: "write"; executor: number }
  | { act: "align"; executor: number; changing: NameGroups; frozen: NameGroups }
  | { act: "same"; executor: number; changing: NameGroups }
  | { act: "dispose"; executor: number }
  | GroupRequest;

/** What concerns the process, not one of its executors. */
export type GroupRequest =
  | { act: "join"; rank: number; size: number }
  /** Numbers, as the bytes of `numbers`, float64, summed over the workers. */
  | { act: "sum" }
  /** What each worker has sent as the bytes of `own`, by rank. */
  | { act: "gather" }
  | { act: "leave" };

/** Names of entries, as many together as may be in memory twice. */
export type NameGroups = readonly (readonly string[])[];

/** An answer; arrays come beside it. */
export interface Reply {
  id: number;
  description?: EngineDescription;
  /** Bytes that the executor has moved to its device and back so far. */
  device?: number;
  /** Of a save: entries whose numbers are not all finite. */
  broken?: readonly string[];
  /** Of an alignment: frozen entries in which workers differ. */
  differing?: readonly string[];
  /** Whether all workers have the same numbers. */
  same?: boolean;
  /** Of a join: the version of MPI. */
  mpi?: string;
  /** Of a load: entries that were not set. */
  left?: readonly string[];
  error?: SentError;
}

type SentConstant = Omit<GraphConstant, "data"> & { array: string };
type SentGraph = Omit<Graph, "constants"> & { constants: SentConstant[] };
export type SentPrograms = Record<string, Omit<Program, "graph"> & { graph: SentGraph }>;

/** Programs as plain data, and the numbers of their constants by name. */
export function packPrograms(programs: Programs): { programs: SentPrograms; arrays: ArraysByName } {
  const arrays: Record<string, TypedArray> = {};
  const pack = (program: string, { data, value }: GraphConstant): SentConstant => {
    const array = `${program}/${value.id}`;
    arrays[array] = data;
    return { value, array };
  };
  const packed = Object.entries(programs).map(([name, { graph, ...rest }]) => {
    const constants = graph.constants.map((constant) => pack(name, constant));
    const nodes = graph.nodes.map((node) => ({ ...node, attributes: packNumbers(node.attributes) }));
    return [name, { graph: { ...graph, nodes, constants } as SentGraph, ...rest }];
  });
  return { programs: Object.fromEntries(packed), arrays };
}

export function unpackPrograms(programs: SentPrograms, arrays: ArraysByName): Programs {
  const unpacked = Object.entries(programs).map(([name, { graph, ...rest }]) => {
    const constants = graph.constants.map(({ value, array }) => ({ value, data: arrays[array] }));
    const nodes = graph.nodes.map((node) => ({ ...node, attributes: unpackNumbers(node.attributes) }));
    return [name, { graph: { ...graph, nodes, constants } as Graph, ...rest }];
  });
  return Object.fromEntries(unpacked);
}

/** Numbers that JSON does not know. */
const UNUSUAL = new Map<string, number>(
  [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0].map((x) => [
    Object.is(x, -0) ? "-0" : `${x}`,
    x,
  ]),
);

const mapLeaves = (value: unknown, leaf: (value: unknown) => unknown): unknown => {
  if (Array.isArray(value)) return value.map((member) => mapLeaves(member, leaf));
  if (typeof value !== "object" || value === null) return leaf(value);
  const replaced = leaf(value);
  if (replaced !== value) return replaced;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mapLeaves(member, leaf)]));
};

function packNumbers<T>(attributes: T): T {
  return mapLeaves(attributes, (value) => {
    if (typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0))) return value;
    return { $number: Object.is(value, -0) ? "-0" : `${value}` };
  }) as T;
}

function unpackNumbers<T>(attributes: T): T {
  return mapLeaves(attributes, (value) => {
    const text = (value as { $number?: string } | null)?.$number;
    return typeof text === "string" && UNUSUAL.has(text) ? UNUSUAL.get(text) : value;
  }) as T;
}

/** An error as plain data. */
export interface SentError {
  code?: string;
  name: string;
  message: string;
  stack?: string;
}

const codes: Record<LuvitErrorCode, true> = {
  "bad-argument": true,
  "bad-file": true,
  "refused-file": true,
  "missing-file": true,
  "shape-mismatch": true,
  "key-mismatch": true,
  "non-finite": true,
  "bad-image": true,
  "bad-dataset": true,
  engine: true,
  "engine-died": true,
  network: true,
  "no-access": true,
  interrupted: true,
};

export function packError(thrown: unknown): SentError {
  if (!(thrown instanceof Error)) return { name: "Error", message: String(thrown) };
  const { name, message, stack } = thrown;
  return { code: (thrown as { code?: string }).code, name, message, stack };
}

/** What was a LuvitError is one again; anything else becomes one of code "engine", with the original as its cause. */
export function unpackError({ code, name, message, stack }: SentError, where: string): LuvitError {
  const cause = Object.assign(new Error(message), { name, stack });
  if (name === "LuvitError" && code !== undefined && Object.hasOwn(codes, code))
    return new LuvitError(code as LuvitErrorCode, message, { cause });
  const kind = [name, code].filter((part) => part !== undefined && part !== "Error").join(" ");
  return new LuvitError("engine", `${where}: ${[kind, message].filter(Boolean).join(": ")}`, { cause });
}
