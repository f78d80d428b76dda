// Gradients and chained ops of tfjs-core as one file that Node can load, dist/tfjs/gradients.js. tfjs-core ships them only as
// modules without endings; the umbrella package that has them brings 220 MB of layers, converters and WebGL along. They
// register themselves with the one engine and tensor class of the process, so a copy of their code does no harm.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const parts = ["dist/register_all_gradients", "dist/public/chained_ops/register_all_chained_ops"];

await build({
  stdin: {
    contents: parts.map((part) => `import "@tensorflow/tfjs-core/${part}";`).join("\n"),
    resolveDir: root,
  },
  outfile: join(root, "dist", "tfjs", "gradients.js"),
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20",
  minify: true,
  legalComments: "eof",
  logLevel: "warning",
});
