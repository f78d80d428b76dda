/*
 * A process that wants folders: node claimChild.js <out> <how often>. Prints each folder it got and holds them until it
 * is killed, or whoever started it is gone.
 */
import { claimRunFolder } from "../../../src/train/claimFolder";

const [out, count] = process.argv.slice(2);
for (let i = 0; i < Number(count); i++) {
  console.log(claimRunFolder("run", { epochs: 1, batchSize: 1, out }));
}
console.log("done");
process.stdin.resume().on("end", () => process.exit());
