import type * as ts from "typescript";
import { names } from "../../instrument";
import type { TypeScript } from "../../typescript";
import type { Edits } from "./edits";

/** As `instrument` makes it. */
const check = `typeof ${names.stop} === "object" && ${names.stop}[0] && ${names.halt}()`;
/** On a line of its own, as a debugger looks for it. */
const checkLine = `\n${check};\n`;

/** Makes loops and functions end when the kernel is interrupted, as `instrument` does. */
export class Checks {
  private readonly loops: ReadonlySet<ts.SyntaxKind>;

  constructor(
    private readonly compiler: TypeScript,
    private readonly edits: Edits,
  ) {
    const { SyntaxKind: kinds } = compiler;
    this.loops = new Set([
      ...[kinds.ForStatement, kinds.ForInStatement, kinds.ForOfStatement],
      ...[kinds.WhileStatement, kinds.DoStatement],
    ]);
  }

  /** Puts a check in front of a node that is the body of a loop or a function; returns what closes it. */
  open(node: ts.Node): string {
    const { compiler, edits } = this;
    const { parent } = node;
    const isLoop = this.loops.has(parent.kind) && (parent as ts.IterationStatement).statement === node;
    const isBody = compiler.isFunctionLike(parent) && (parent as ts.FunctionLikeDeclaration).body === node;
    if (!isLoop && !isBody) return "";
    if (compiler.isBlock(node)) {
      this.openBlock(node);
      return "";
    }
    edits.insert(node.getStart(), isLoop ? `{${checkLine}` : `(${check}, `);
    return isLoop ? "}" : ")";
  }

  private openBlock(block: ts.Block): void {
    const { compiler } = this;
    const isDirective = (one: ts.Statement) =>
      compiler.isExpressionStatement(one) && compiler.isStringLiteral(one.expression);
    const first = block.statements.find((one) => !isDirective(one));
    if (!first && block.statements.length > 0) this.edits.beyond();
    this.edits.insert(first ? first.getStart() : block.end - 1, checkLine);
  }
}
