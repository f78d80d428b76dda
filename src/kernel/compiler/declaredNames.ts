import type * as ts from "typescript";
import { loadTypeScript } from "./typescript";

/** Names of the variables that a cell declares, outside functions and blocks. */
export function declaredNames(source: string): string[] {
  const compiler = loadTypeScript();
  const tree = compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ES2022, true);
  const names: string[] = [];
  const take = (name: ts.BindingName): void => {
    if (compiler.isIdentifier(name)) names.push(name.text);
    else for (const element of name.elements) if (compiler.isBindingElement(element)) take(element.name);
  };
  for (const statement of tree.statements)
    if (compiler.isVariableStatement(statement))
      for (const { name } of statement.declarationList.declarations) take(name);
  return names;
}
