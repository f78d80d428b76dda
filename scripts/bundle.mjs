// Before `npm pack`: onnxruntime-node travels inside the package, without its install script. That script only fetches CUDA
// libraries, from a host that many machines cannot reach, and where it fails npm installs nothing at all.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules", "onnxruntime-node");
const file = join(folder, "package.json");
const { scripts, devDependencies, ...rest } = JSON.parse(readFileSync(file, "utf8"));
const dependencies = { "onnxruntime-common": rest.dependencies["onnxruntime-common"] };
writeFileSync(`${file}.new`, `${JSON.stringify({ ...rest, dependencies }, null, 2)}\n`);
renameSync(`${file}.new`, file);
rmSync(join(folder, "script"), { recursive: true, force: true });
