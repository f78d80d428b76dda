import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../../src/core/packageRoot";
import { writeCells } from "../browser/jupyter/notebooks";
import { temporaryFolder } from "../unit/train/support";

/** Every kind of text, source, link, table and formula that the site has to carry. */
const texts: Readonly<Record<string, string>> = {
  "README.md": `# luvit

A small one. [Notebooks](notebooks) · [Docs](docs/README.md) · [All of it](docs/README.md#all-of-it) · [Paper](https://example.org/paper)

![Two bars](notebooks/bars.png)

| pieces | number |
|---|---|
| [a source](src/one.ts) | 1 |
| [a folder](src/) and [how](docs/long.md#formulas-and-tables) | 2 |
`,
  "docs/README.md": `# Documentation

[long](long.md), [one source](../src/one.ts)

## All of it

Text with \`code\`, and [back](../README.md).
`,
  "docs/long.md": `# A long page

## Formulas and tables

$$H = -\\sum_i p_i \\log p_i$$ and inline $x^2$, <b>bold</b>.

| a | b | c | d | e | f | g | h |
|---|---|---|---|---|---|---|---|
| a long word | a_very_long_identifier_of_code | another column | one more | and more | and more | and more | \`at_the_very_end_of_it\` |

## Code

\`\`\`ts
const model = classifier.create({ encoder: vit.toy, classes: 6, options: { which: "are so many that the line is wider than any phone" } });
\`\`\`

## Its own notebook

[the small one](../notebooks/small.ipynb#numbers) and [its numbers](../data/studies/detect.arrow)
`,
  "src/one.ts": `/** One. */\nexport const one = "<script>alert(1)</script>";\n`,
  "src/inner/two.ts": "export const two = 2;\n",
};

/** A folder with documentation, a source, a study and one notebook of three cells, to build a site of. */
export function smallRepository(more: Readonly<Record<string, string>> = {}): string {
  const root = temporaryFolder();
  for (const [path, text] of Object.entries({ ...texts, ...more })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const project = packageRoot();
  mkdirSync(join(root, "notebooks"));
  mkdirSync(join(root, "data", "studies"), { recursive: true });
  cpSync(join(project, "notebooks", "00-quickstart.png"), join(root, "notebooks", "bars.png"));
  for (const study of ["detect", "distill", "llavit", "sign"])
    cpSync(
      join(project, "data", "studies", `${study}.arrow`),
      join(root, "data", "studies", `${study}.arrow`),
    );
  cpSync(
    join(project, "data", "studies", "detect.arrow"),
    join(root, "data", "studies", "nobody-knows-it.arrow"),
  );
  writeCells(join(root, "notebooks", "small.ipynb"), [
    { text: "# A small notebook\n\nIts [question](../docs/long.md).\n\n## Numbers\n\nBars, of $p_i$." },
    'import * as luvit from "luvit";',
    'luvit.figures.barComparison({ title: "Top-1", yTitle: "%", categories: ["val"], series: [{ name: "ViT", values: [83.2] }, { name: "LUViT", values: [85] }] })',
    'console.log("a line that is written");',
    'luvit.table([{ model: "ViT", "top-1 (%)": 83.2 }, { model: "LUViT", "top-1 (%)": 85 }])',
  ]);
  mkdirSync(join(root, "notebooks", "course"));
  writeCells(join(root, "notebooks", "course", "first.ipynb"), [
    { text: "# A first lesson\n\nAfter [the small one](../small.ipynb)." },
    "1 + 1",
  ]);
  return root;
}
