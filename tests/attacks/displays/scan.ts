import assert from "node:assert/strict";

/** What may not be in a page more often with a stranger's text than with a plain one. */
const dangerous: readonly RegExp[] = [
  /<(?:script|iframe|object|embed|link|meta|base|form|style|template)\b/gi,
  /<[a-z][^>]*?\son[a-z]+\s*=/gi,
  /<[a-z][^>]*?\s(?:href|src|action|formaction|xlink:href|srcdoc|poster|data)\s*=\s*["']?\s*(?:java|vb)\s*script:/gi,
];

/** Elements and attributes of HTML as a browser's tokenizer would see them: quoted values are one piece. */
const tags = /<\/?([a-z][^\s/>]*)((?:"[^"]*"|'[^']*'|[^'">])*)>/gi;

/** Fails where a page made with a stranger's text has scripts, handlers or elements that the same page has not with a plain one. */
export function expectHarmless(page: string, plain: string, text: string): void {
  const [found, expected] = [page, plain].map((one) => dangerous.map((kind) => countIn(one, kind)));
  for (const [index, count] of found!.entries())
    assert.ok(
      count <= expected![index]!,
      `${dangerous[index]} for ${text}: ${excerpt(page, dangerous[index]!)}`,
    );
}

/** How often something stands in the tags of a page, scripts' own texts left out. */
function countIn(page: string, kind: RegExp): number {
  const outside = page.replace(/(<(script|style)\b[^>]*>)[\s\S]*?<\/\2>/gi, "$1");
  const found = [...outside.matchAll(tags)].map(([tag]) =>
    tag.replace(/"[^"]*"|'[^']*'/g, (value) => (/^.\s*(java|vb)/i.test(value) ? value : '""')),
  );
  return found.filter((tag) => new RegExp(kind.source, "i").test(tag)).length;
}

function excerpt(page: string, kind: RegExp): string {
  const at = page.search(new RegExp(kind.source, "i"));
  return page.slice(Math.max(0, at - 100), at + 200);
}
