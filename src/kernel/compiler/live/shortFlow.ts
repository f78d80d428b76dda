import type * as ts from "typescript";
import type { TypeScript } from "../typescript";

/** What the compiler's binder notes: what comes before a node when the code runs. */
interface Flow {
  flags: number;
  node?: ts.Node;
  antecedent?: Flow | Flow[];
}

interface Flowing extends ts.Node {
  flowNode?: Flow;
  endFlowNode?: Flow;
  returnFlowNode?: Flow;
  fallthroughFlowNode?: Flow;
}

/** `FlowFlags.Assignment`. */
const assignment = 16;
/** Fewer declarations are no length to speak of. */
const fewest = 100;

/**
 * The checker goes back through all that came before each use of a name that is no constant, `Math` among them: in a
 * cell of thousands of declarations that is most of its time. Constants of the cell itself whose type is that of their
 * value can be passed over: each is given once, outside loops, and nothing is found out about its type where it is given.
 */
export function shortenFlow(compiler: TypeScript, file: ts.SourceFile): void {
  const passed = constants(compiler, file);
  if (passed.size < fewest) return;
  const before = new Map<Flow, Flow>();
  const next = (flow: Flow): Flow => {
    const path: Flow[] = [];
    let at = flow;
    while (at.flags & assignment && at.node && passed.has(at.node)) {
      path.push(at);
      at = before.get(at) ?? (at.antecedent as Flow);
    }
    for (const one of path) before.set(one, at);
    return at;
  };
  const seen = new Set<Flow>();
  const follow = (flow: Flow | undefined): Flow | undefined => {
    if (!flow) return undefined;
    const first = next(flow);
    for (const waiting = [first]; waiting.length > 0; ) {
      const one = waiting.pop()!;
      if (seen.has(one) || !one.antecedent) continue;
      seen.add(one);
      one.antecedent = Array.isArray(one.antecedent) ? one.antecedent.map(next) : next(one.antecedent);
      waiting.push(...[one.antecedent].flat());
    }
    return first;
  };
  const visit = (node: Flowing): void => {
    for (const key of ["flowNode", "endFlowNode", "returnFlowNode", "fallthroughFlowNode"] as const)
      if (node[key]) node[key] = follow(node[key]);
    compiler.forEachChild(node, visit);
  };
  visit(file);
}

/** Declarations outside blocks of constants that have no type but their value's. */
function constants(compiler: TypeScript, file: ts.SourceFile): Set<ts.Node> {
  const found = new Set<ts.Node>();
  for (const statement of file.statements) {
    if (!compiler.isVariableStatement(statement)) continue;
    const { flags, declarations } = statement.declarationList;
    if ((flags & compiler.NodeFlags.BlockScoped) !== compiler.NodeFlags.Const) continue;
    for (const one of declarations) if (compiler.isIdentifier(one.name) && !one.type) found.add(one);
  }
  return found;
}
