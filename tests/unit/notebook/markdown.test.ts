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
