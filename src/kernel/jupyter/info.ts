import { packageVersion } from "../../core/packageRoot";
import { typescriptVersion } from "../compiler/typescript";
import { protocolVersion } from "../protocol/wire";

/** What the kernel says about itself; frontends ask first thing, so nothing is loaded for it. */
export function kernelInfo(): object {
  return {
    protocol_version: protocolVersion,
    implementation: "luvit",
    implementation_version: packageVersion(),
    language_info: {
      name: "typescript",
      version: typescriptVersion,
      mimetype: "text/x.typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: "typescript",
      nbconvert_exporter: "script",
    },
    banner: `LUViT ${packageVersion()} · TypeScript ${typescriptVersion} · Node ${process.versions.node}`,
    help_links: [
      { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
      { text: "Node.js", url: "https://nodejs.org/api/" },
    ],
    debugger: true,
    supported_features: ["debugger"],
  };
}
