import type * as ts from "typescript";
import { type Edit, EditedText } from "../textEdits";
import type { TypeScript } from "../typescript";

/** A cell as the compiler gets it. */
export interface EditedCell {
  edited: EditedText;
  /** Whether the cell awaits outside functions. */
  awaits: boolean;
  /** Modules imported by statements. */
  imports: string[];
}

/**
 * Rewrites what tslab's transformation loses or refuses: `{ name }` of an earlier cell's variable becomes
 * `{ name: name }`, a pattern's `{ name: [first] }` becomes `{ "name": [first] }` (it takes the property of an earlier
 * cell's type for a variable), `export` before a declaration goes away, and `const x = await import("y")` becomes an
 * import statement, whose types an exported declaration can name. Lines stay where they are.
 */
export function editCell(compiler: TypeScript, source: string): EditedCell {
  const tree = compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ES2022, true);
  const edits: Edit[] = [];
  const replaced = new Set<ts.Node>();
  const cell = { awaits: false, imports: [] as string[] };
  for (const statement of tree.statements) {
    dropExport(compiler, statement, edits);
    if (awaitedImport(compiler, statement, source, edits, cell.imports)) replaced.add(statement);
    if (compiler.isImportDeclaration(statement))
      cell.imports.push((statement.moduleSpecifier as ts.StringLiteral).text);
  }
  cell.awaits = replaced.size > 0;
  const visit = (node: ts.Node, inFunction: boolean): void => {
    if (replaced.has(node)) return;
    if (compiler.isShorthandPropertyAssignment(node))
      edits.push({ at: node.name.end, remove: 0, insert: `: ${node.name.text}` });
    if (compiler.isBindingElement(node) && node.propertyName && compiler.isIdentifier(node.propertyName)) {
      const at = node.propertyName.getStart();
      edits.push({ at, remove: node.propertyName.end - at, insert: JSON.stringify(node.propertyName.text) });
    }
    if (!inFunction && isAwaiting(compiler, node)) cell.awaits = true;
    const inside = inFunction || compiler.isFunctionLike(node) || compiler.isClassLike(node);
    node.forEachChild((child) => visit(child, inside));
  };
  visit(tree, false);
  return { ...cell, edited: new EditedText(source, edits) };
}

function isAwaiting(compiler: TypeScript, node: ts.Node): boolean {
  return (
    compiler.isAwaitExpression(node) || (compiler.isForOfStatement(node) && node.awaitModifier !== undefined)
  );
}

function dropExport(compiler: TypeScript, statement: ts.Statement, edits: Edit[]): void {
  if (!compiler.canHaveModifiers(statement)) return;
  const modifiers = compiler.getModifiers(statement) ?? [];
  if (modifiers.some(({ kind }) => kind === compiler.SyntaxKind.DefaultKeyword)) return;
  const word = modifiers.find(({ kind }) => kind === compiler.SyntaxKind.ExportKeyword);
  if (word) edits.push({ at: word.getStart(), remove: 6, insert: "      " });
}

/** Takes `const x = await import("y")` and `const { a, b: c } = await import("y")`, alone in their statement; tells whether it was one. */
function awaitedImport(
  compiler: TypeScript,
  statement: ts.Statement,
  source: string,
  edits: Edit[],
  imports: string[],
): boolean {
  if (!compiler.isVariableStatement(statement) || statement.declarationList.declarations.length !== 1)
    return false;
  if (!(statement.declarationList.flags & compiler.NodeFlags.Const)) return false;
  const { name, type, initializer } = statement.declarationList.declarations[0]!;
  if (type || !initializer || !compiler.isAwaitExpression(initializer)) return false;
  const call = initializer.expression;
  if (!compiler.isCallExpression(call) || call.expression.kind !== compiler.SyntaxKind.ImportKeyword)
    return false;
  const [specifier] = call.arguments;
  const binding = importBinding(compiler, name);
  if (!specifier || !compiler.isStringLiteral(specifier) || !binding) return false;
  const start = statement.getStart();
  const text = `import ${binding} from ${specifier.getText()};`;
  const lines = source.slice(start, statement.end).split("\n").length - text.split("\n").length;
  if (lines < 0) return false;
  edits.push({ at: start, remove: statement.end - start, insert: text + "\n".repeat(lines) });
  imports.push(specifier.text);
  return true;
}

function importBinding(compiler: TypeScript, name: ts.BindingName): string | undefined {
  if (compiler.isIdentifier(name)) return `* as ${name.text}`;
  if (!compiler.isObjectBindingPattern(name)) return undefined;
  const parts: string[] = [];
  for (const element of name.elements) {
    if (element.initializer || element.dotDotDotToken || !compiler.isIdentifier(element.name))
      return undefined;
    const from = element.propertyName?.getText();
    if (from !== undefined && !/^[\w$]+$/.test(from)) return undefined;
    parts.push(from === undefined ? element.name.text : `${from} as ${element.name.text}`);
  }
  return `{ ${parts.join(", ")} }`;
}
