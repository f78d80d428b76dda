/* What makes a start quicker: less text of declarations to parse. */

/** Only the mark of what is deprecated counts before help is asked for. */
export function withoutDocs(text: string): string {
  return text.replace(/^[ \t]*\/\*\*[\s\S]*?\*\//gm, (comment) =>
    comment.includes("@deprecated") ? "/** @deprecated */" : "",
  );
}

/** Modules of Node that few notebooks name; a fifth of its declarations is theirs. */
const rare = /\b(inspector|http2|test|repl|wasi|cluster|trace_events|punycode|domain|sqlite|sea)\b/g;

const nodeDeclaration = /\/@types\/node\/([\w/]+?)(?:\.generated)?\.d\.ts$/;

export function isNodeDeclaration(path: string): boolean {
  return nodeDeclaration.test(path);
}

/** Whether a file is the one by which all of Node's declarations are found. */
export function isNodeIndex(path: string): boolean {
  return nodeDeclaration.exec(path)?.[1] === "index";
}

/** What of Node's declarations nothing has named yet: at first all of them, later the rare modules. */
export class WithheldModules {
  private readonly admitted = new Set<string>();
  private hasNode = false;

  /** Whether a file declares one of them, or is what names all others. */
  has(path: string): boolean {
    const [, module] = nodeDeclaration.exec(path) ?? [];
    const [name] = module?.split("/") ?? [];
    if (name === "index") return !this.hasNode;
    return name !== undefined && name.match(rare)?.[0] === name && !this.admitted.has(name);
  }

  /** Takes all but the rare modules; tells whether they were withheld. */
  admitNode(): boolean {
    const was = this.hasNode;
    this.hasNode = true;
    return !was;
  }

  /** Takes those that a text names, in whatever way; tells whether there were any. */
  admit(text: string): boolean {
    const before = this.admitted.size;
    for (const name of text.match(rare) ?? []) this.admitted.add(name);
    return this.hasNode && this.admitted.size > before;
  }
}
