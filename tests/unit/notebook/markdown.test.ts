import assert from "node:assert/strict";
import { test } from "node:test";
import { renderMarkdown } from "../../../src/notebook/markdown";

const words = (length: number) => "word ".repeat(length / 5);
const isRendered = (source: string) =>
  !renderMarkdown(source).startsWith("<pre>word") && renderMarkdown(source).includes("<h1");

test("a paragraph that is too long to be rendered is shown as it is, on its own or among others", () => {
  assert.ok(isRendered(`# Title\n\n${words(19_000)}\n`));
  for (const long of [words(21_000), `${words(21_000)}\n\n# Title\n`]) assert.ok(!isRendered(long));
  const shown = renderMarkdown(`${words(21_000)}<b>`);
  assert.ok(shown.startsWith("<pre>word") && shown.endsWith("&lt;b&gt;</pre>"));
});

test("what is long because of its many paragraphs, its code or its images is rendered", () => {
  assert.ok(isRendered(`# Title\n\n${`${words(1000)}\n\n`.repeat(40)}`));
  assert.ok(isRendered(`# Title\n\n\`\`\`\n${words(30_000)}\n\`\`\`\n\nend`));
  assert.ok(isRendered(`# Title\n\n![x](data:image/png;base64,${"A".repeat(30_000)})\n\nend`));
  assert.ok(!isRendered(`# Title\n\n\`\`\`\ncode\n\`\`\`\n\n${words(30_000)}`));
});

test("code is colored where it is TypeScript or JavaScript, and shown as it is elsewhere", () => {
  const block = (language: string) => renderMarkdown(`\`\`\`${language}\nconst x = 1 < 0x2f;\n\`\`\``);
  for (const language of ["ts", "typescript", "js", "javascript"]) assert.match(block(language), /<span/);
  for (const language of ["python", "tsx", ""])
    assert.match(block(language), /<code>const x = 1 &lt; 0x2f;<\/code>/);
});

test("links keep their title, and only addresses that are safe", () => {
  assert.match(
    renderMarkdown('[a](https://x.org "a <tip>")'),
    /<a href="https:\/\/x\.org" title="a &lt;tip&gt;">a<\/a>/,
  );
  assert.match(renderMarkdown("[a](https://x.org)"), /<a href="https:\/\/x\.org">a<\/a>/);
  assert.doesNotMatch(renderMarkdown("[a](javascript:alert(1))"), /href/);
});

test("each formula stands where it was, in the line or as a block", () => {
  const html = renderMarkdown("first $a_1$ then $b_2$\n\n$$c_3$$");
  const [a, b, c] = ["a", "b", "c"].map((name) => html.indexOf(`<mi>${name}</mi>`));
  assert.ok(a > html.indexOf("first") && b > html.indexOf("then") && b > a && c > b);
  assert.equal(html.match(/display="block"/g)?.length, 1);
  assert.ok(html.indexOf('display="block"') > b);
});
