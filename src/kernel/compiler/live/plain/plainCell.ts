import type * as ts from "typescript";
import { names } from "../../instrument";
import type { EditedText } from "../../textEdits";
import type { TypeScript } from "../../typescript";
import { Bindings, type PlainNames } from "./bindings";
import { openBody } from "./checks";
import { Edits } from "./edits";
import { Types } from "./types";

/** A cell as JavaScript. */
export interface PlainCell {
  text: EditedText;
  /** Whether the code ends with an expression, whose value it keeps. */
  hasLast: boolean;
}

/**
 * How a checked cell becomes CommonJS by changes of its text alone; undefined where something is in it that only the
 * compiler can transform: imports and exports, JSX, decorators, enums, namespaces, `using`, and some rare forms.
 * The code does what `emitWhole` would have it do.
 */
export function plainCell(
  compiler: TypeScript,
  file: ts.SourceFile,
  cellNames: PlainNames,
  lastExpression: string,
): PlainCell | undefined {
  const edits = new Edits(file.text);
  const hasLast = new PlainWriter(compiler, edits, cellNames).write(file, lastExpression);
  return edits.isBeyond ? undefined : { text: edits.made(), hasLast };
}

class PlainWriter {
  private readonly types: Types;
  private readonly bindings: Bindings;
  private readonly ended: ReadonlySet<ts.SyntaxKind>;

  constructor(
    private readonly compiler: TypeScript,
    private readonly edits: Edits,
    cellNames: PlainNames,
  ) {
    this.types = new Types(compiler, edits);
    this.bindings = new Bindings(compiler, edits, cellNames);
    const { SyntaxKind: kinds } = compiler;
    this.ended = new Set([
      ...[kinds.VariableStatement, kinds.ExpressionStatement, kinds.DoStatement, kinds.PropertyDeclaration],
      ...[kinds.ReturnStatement, kinds.ThrowStatement, kinds.BreakStatement, kinds.ContinueStatement],
    ]);
  }

  /** Returns whether the cell ends with an expression. */
  write(file: ts.SourceFile, lastExpression: string): boolean {
    const { compiler, edits, bindings } = this;
    const isModule = `${names.define}(exports, "__esModule", { value: true });`;
    edits.insert(0, `${[isModule, ...bindings.preamble(file)].join("\n")}\n`, edits.nowhere);
    const first = file.statements[0];
    if (first && compiler.isExpressionStatement(first) && compiler.isStringLiteral(first.expression))
      edits.beyond();
    // to JavaScript, unlike TypeScript, `<!--` begins a comment, and `-->` at the beginning of a line
    if (/^#!|<!--|-->/.test(file.text)) edits.beyond();
    const last = file.statements.at(-1);
    for (const statement of file.statements) {
      const isKept = statement === last && compiler.isExpressionStatement(statement);
      if (isKept) edits.insert(statement.getStart(), `exports.${lastExpression} = (`);
      this.visit(statement, isKept ? ")" : "");
      bindings.keep(statement);
    }
    return last !== undefined && compiler.isExpressionStatement(last);
  }

  /** `closing`: what comes behind a statement's expression. */
  private visit(node: ts.Node, closing = ""): void {
    const { compiler, edits, types, bindings } = this;
    if (edits.isBeyond || types.drop(node)) return;
    const behindBody = openBody(compiler, edits, node);
    types.erase(node);
    if (compiler.isIdentifier(node)) bindings.use(node);
    if (compiler.isVariableDeclarationList(node)) this.look(node);
    if (compiler.isCallExpression(node) && node.expression.kind === compiler.SyntaxKind.ImportKeyword)
      edits.replace(node.expression.getStart(), node.expression.end, names.load);
    const behindValue = bindings.assign(node);
    compiler.forEachChild(node, (child) => this.visit(child));
    types.eraseEnd(node);
    this.close(node, closing, behindValue + behindBody);
  }

  private close(node: ts.Node, closing: string, behind: string): void {
    const { compiler, edits } = this;
    if (closing !== "" && compiler.isExpressionStatement(node)) edits.insert(node.expression.end, closing);
    if (this.ended.has(node.kind) && edits.text[node.end - 1] !== ";") edits.insert(node.end, ";");
    if (behind !== "") edits.insert(node.end, behind);
  }

  /** `using`, and variables of the whole cell that are declared within a statement, are the compiler's. */
  private look(list: ts.VariableDeclarationList): void {
    const { compiler, edits } = this;
    const { BlockScoped, Let, Const } = compiler.NodeFlags;
    const kind = list.flags & BlockScoped;
    const isOfCell = compiler.isVariableStatement(list.parent) && compiler.isSourceFile(list.parent.parent);
    if (kind !== 0 ? kind !== Let && kind !== Const : !isOfCell && !this.isInFunction(list)) edits.beyond();
  }

  private isInFunction(node: ts.Node): boolean {
    const { compiler } = this;
    for (let at = node.parent; !compiler.isSourceFile(at); at = at.parent)
      if (compiler.isFunctionLike(at) || compiler.isClassStaticBlockDeclaration(at)) return true;
    return false;
  }
}
