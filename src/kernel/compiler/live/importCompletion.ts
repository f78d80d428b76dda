import type * as ts from "typescript";
import type { ImportCompletion } from "../cellCompiler";
import type { TypeScript } from "../typescript";
import type { ImportableNames } from "./importable";

/** Letters that a name is begun with before imports are offered for it, and most that are. */
const leastBegun = 3;
const mostOffered = 20;

/**
 * Names that an import would bring, for a name that is being written where a value may stand. All that a completion can
 * replace is the name: where it begins a line, an import statement comes before it, within an expression it becomes a
 * member of `await import()`.
 */
export function importsFor(
  compiler: TypeScript,
  importable: ImportableNames,
  file: ts.SourceFile,
  word: ts.Node,
  begun: string,
  known: readonly string[],
): ImportCompletion[] {
  if (begun.length < leastBegun || !compiler.isIdentifier(word) || !isValue(compiler, word)) return [];
  const begins = beginsLine(compiler, file, word);
  if (!begins && !mayAwait(compiler, word)) return [];
  const taken = new Set(known);
  const found = importable.beginningWith(begun).filter(({ name }) => !taken.has(name));
  return found.slice(0, mostOffered).map(({ name, module }) => ({
    name,
    module,
    text: begins ? `import { ${name} } from "${module}";\n${name}` : `(await import("${module}")).${name}`,
  }));
}

/** Whether a name is an expression, not one that is declared, a member or a type. */
function isValue(compiler: TypeScript, word: ts.Identifier): boolean {
  const { parent } = word;
  if (compiler.isPropertyAccessExpression(parent) && parent.name === word) return false;
  return (compiler as unknown as { isExpressionNode(node: ts.Node): boolean }).isExpressionNode(word);
}

function beginsLine(compiler: TypeScript, file: ts.SourceFile, word: ts.Node): boolean {
  const start = word.getStart(file);
  const statement = compiler.findAncestor(word, (one) => compiler.isExpressionStatement(one));
  const isTop = statement?.getStart(file) === start && compiler.isSourceFile(statement.parent);
  return isTop && /(?:^|\n)[ \t]*$/.test(file.text.slice(0, start));
}

function mayAwait(compiler: TypeScript, word: ts.Node): boolean {
  const around = compiler.findAncestor(
    word,
    (one) =>
      compiler.isFunctionLike(one) ||
      compiler.isPropertyDeclaration(one) ||
      compiler.isClassStaticBlockDeclaration(one),
  );
  if (!around) return true;
  const modifiers = compiler.canHaveModifiers(around) ? (compiler.getModifiers(around) ?? []) : [];
  return modifiers.some(({ kind }) => kind === compiler.SyntaxKind.AsyncKeyword);
}
