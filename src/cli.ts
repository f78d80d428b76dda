import { main } from "./commandLine/main";

export { main };

/** A reader that went away, or a terminal that was closed, is no reason to end what has been running for days. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

if (require.main === module) {
  outliveReaders();
  void main(process.argv.slice(2)).then((status) => process.stdout.write("", () => process.exit(status)));
}
