// Lets notebooks and scripts inside this checkout write `import * as luvit from "luvit"`:
// a link node_modules/luvit -> the checkout, which tslab's Node10 resolution follows with types.
import { existsSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const link = join(root, "node_modules", "luvit");
if (!existsSync(link)) symlinkSync("..", link, "junction");
