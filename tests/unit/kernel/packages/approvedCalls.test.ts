// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are texts with templates in them
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadTypeScript } from "../../../../src/kernel/compiler/typescript";
import { npmEdits } from "../../../../src/kernel/packages/npmEdits";
import {
  installing,
  isNpmSpecifier,
  parseNpmSpecifier,
  resolveNpm,
} from "../../../../src/kernel/packages/npmSpecifiers";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

test("what becomes of npm: specifiers is approved", async () => {
  const folder = realpathSync(temporaryFolder("npm"));
  const inner = join(folder, "inner", "deep");
  mkdirSync(inner, { recursive: true });
  const install = (at: string, name: string, manifest: string) => {
    mkdirSync(join(at, "node_modules", name), { recursive: true });
    writeFileSync(join(at, "node_modules", name, "package.json"), manifest);
  };
  install(folder, "plain", '{"version":"1.4.2"}');
  install(folder, "buffer", '{"version":"6.0.3"}');
  install(folder, "@scope/part", '{"version":"2.0.0-beta.3"}');
  install(folder, "broken", '{"version":');
  install(folder, "versionless", "{}");
  install(inner, "plain", '{"version":"3.0.0"}');
  const startedIn = process.cwd();
  process.chdir(inner);
  const calls = new Calls({ folder });
  const specifiers = [
    "npm:plain",
    "npm:/plain",
    "npm:plain@3",
    "npm:plain@^1.4.0",
    "npm:plain@1.4.2",
    "npm:plain@latest",
    "npm:plain@",
    "npm:plain/sub/file.js",
    "npm:plain@3/sub",
    "npm:plain@>=2 <4",
    "npm:plain@~2.9",
    "npm:@scope/part",
    "npm:@scope/part@2",
    "npm:@scope/part@2.0.0-beta.3/x",
    "npm:@scope",
    "npm:@scope/",
    "npm:buffer",
    "npm:buffer@6",
    "npm:buffer@5",
    "npm:buffer/",
    "npm:broken",
    "npm:broken@1",
    "npm:versionless",
    "npm:versionless@0.0.0",
    "npm:versionless@1",
    "npm:missing",
    "npm:missing@^2.0.0",
    "npm:missing@~2",
    "npm:missing@>=2 <3",
    "npm:missing@2/x",
    "npm:",
    "npm:.hidden",
    "npm:ümlaut",
    "npm:Plain",
    "npm:luvit",
    "npm:luvit@999",
    "plain",
    "NPM:plain",
    " npm:plain",
    "npm:a b",
    "npm:~x/y",
  ];
  for (const one of specifiers) {
    await calls.of(isNpmSpecifier, one);
    await calls.of(parseNpmSpecifier, one);
    if (one.startsWith("npm:luvit@")) continue; // names this version
    await calls.of(resolveNpm, one, inner);
    await calls.does("  from outside", () => resolveNpm(one, folder));
  }
  await calls.does("this package is of no such version", () =>
    JSON.stringify(resolveNpm("npm:luvit@999", inner)).replace(/luvit \d+\.\d+\.\d+/, "luvit VERSION"),
  );
  for (const wanted of ["a", "@a/b@1", "a@^1", "^a", "~a", "a@>=1 <2", "a b", "", 'a"b'])
    await calls.of(installing, wanted);
  const compiler = loadTypeScript();
  const sources = [
    'import a from "npm:plain";\nimport "npm:missing";',
    "ü; export * from 'npm:plain/x';\n  const b = await import(`npm:buffer`), c = require('npm:@scope/part'), d = f('npm:plain')",
    'let t: import("npm:plain").T; import e = require("npm:plain@9"); import x from "plain"',
    "import('npm:' + 'plain'); import(`npm:${x}`); import('npm:')",
    "{ async () => { await import('npm:plain@1') } }",
    "",
  ];
  for (const source of sources)
    await calls.does(JSON.stringify(source), () => {
      const { edits, problems } = npmEdits(
        compiler,
        source,
        compiler.createSourceFile("c.ts", source, 9, true),
      );
      return {
        edits: edits.map((one) => JSON.stringify(one)),
        problems: problems.map(({ start, end, messageText, code }) => [code, start, end, messageText]),
      };
    });
  process.chdir(startedIn);
  calls.approve("kernel/packages");
});
