/** Texts, brackets and colons; everything between them says nothing about keys. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:]/gs;

/**
 * Keys that an object of a JSON text has more than once, as paths of keys joined by dots; JSON.parse keeps the last one
 * and says nothing. `text` must be JSON.
 */
export function repeatedKeys(text: string): string[] {
  const repeated: string[] = [];
  /** Of each object, and list, that is open: its keys, and the one that is being read. */
  const open: { keys: Set<string>; key: string }[] = [];
  let last = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") open.push({ keys: new Set(), key: "" });
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const inner = open[open.length - 1];
      inner.key = JSON.parse(last);
      if (inner.keys.has(inner.key)) repeated.push(open.map(({ key }) => key).join("."));
      inner.keys.add(inner.key);
    } else last = token;
  }
  return repeated;
}
