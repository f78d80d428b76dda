import type * as ts from "typescript";
import { loadTypeScript, type TypeScript } from "./typescript";

/** Names of the variables that a cell declares, outside functions and blocks. */
export function declaredNames(source: string): string[] {
  const compiler = loadTypeScript();
  const tree = compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ES2022, true);
  return tree.statements
    .filter((one) => compiler.isVariableStatement(one))
    .flatMap(({ declarationList }) =>
      declarationList.declarations.flatMap(({ name }) => boundBy(compiler, name)),
    )
    .map(({ text }) => text);
}

/** The variables that a name, or a pattern of names, brings. */
export function boundBy(compiler: TypeScript, name: ts.BindingName): ts.Identifier[] {
  if (compiler.isIdentifier(name)) return [name];
  return name.elements.flatMap((one) => (compiler.isBindingElement(one) ? boundBy(compiler, one.name) : []));
}
