import { formatShape } from "../core/hostTensor";
import type { Module, Parameter } from "../nn";

/** A part of a model: a module, a list of modules, or one parameter. */
export interface ModelNode {
  /** The last segment of its path; `0 … 11` where neighbors of one structure are taken together. */
  name: string;
  /** Class of the module, `12 × Block` for a list or neighbors of one; empty for parameters. */
  kind: string;
  /** `[4096, 4096]`; parameters only. */
  shape: string;
  parameters: number;
  trainable: number;
  children: ModelNode[];
}

/** A model's parts as a tree with sums; lists of parts with one structure take one branch. */
export function modelTree(model: Module): ModelNode {
  const root = emptyNode(model.constructor.name);
  const kinds = new Map<string, string>();
  for (const [path, module] of model.namedModules())
    if (!kinds.has(path)) kinds.set(path, module.constructor.name);
  for (const [path, parameter] of model.namedParameters()) addParameter(root, path, parameter, kinds);
  root.kind = model.constructor.name;
  fold(root);
  return root;
}

function addParameter(root: ModelNode, path: string, parameter: Parameter, kinds: Map<string, string>): void {
  const segments = path.split(".");
  let node = root;
  count(root, parameter);
  for (const [depth, name] of segments.entries()) {
    let child = node.children.find((other) => other.name === name);
    if (!child) {
      child = { ...emptyNode(kinds.get(segments.slice(0, depth + 1).join(".")) ?? ""), name };
      node.children.push(child);
    }
    count(child, parameter);
    node = child;
  }
  node.shape = formatShape(parameter.shape);
}

function count(node: ModelNode, parameter: Parameter): void {
  node.parameters += parameter.size;
  if (parameter.trainable) node.trainable += parameter.size;
}

function emptyNode(kind: string): ModelNode {
  return { name: "", kind, shape: "", parameters: 0, trainable: 0, children: [] };
}

/** Takes neighbors with one structure together, from the leaves up, and names lists by what they hold. */
function fold(node: ModelNode): void {
  for (const child of node.children) fold(child);
  const folded: ModelNode[] = [];
  let run: ModelNode[] = [];
  const close = () => {
    const [first] = run;
    if (first) folded.push(run.length > 1 ? together(run) : first);
    run = [];
  };
  for (const child of node.children) {
    if (run[0] && !(isNumber(child.name) && structure(run[0]) === structure(child))) close();
    run.push(child);
  }
  close();
  node.children = folded;
  if (node.kind === "" && folded.every(({ name }) => isNumber(name.split(" ")[0]!)))
    node.kind = folded.map(({ kind }) => kind).join(", ");
}

function together(run: readonly ModelNode[]): ModelNode {
  const [first, last] = [run[0]!, run[run.length - 1]!];
  const total = (of: (node: ModelNode) => number) => run.reduce((sum, node) => sum + of(node), 0);
  return {
    ...first,
    name: `${first.name} … ${last.name}`,
    kind: `${run.length} × ${first.kind}`,
    parameters: total((node) => node.parameters),
    trainable: total((node) => node.trainable),
  };
}

function structure({ kind, shape, trainable, children }: ModelNode): string {
  return `${kind}${shape}${trainable}(${children.map((child) => child.name + structure(child)).join()})`;
}

function isNumber(name: string): boolean {
  return /^\d+$/.test(name);
}
