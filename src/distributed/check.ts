import { joinGroup } from "./group";
import { placeIn } from "./place";

/*
 * node check.js <addon>: joins the job that a launcher has started and sums a number, over as many workers as there are.
 * Started by `luvit engine install --mpi`; prints a line that begins with "summed" where the sum is right.
 */

async function check(addon: string): Promise<void> {
  const group = joinGroup(placeIn(), addon);
  const [wide, narrow] = [Float64Array.of(group.rank + 1), Float32Array.of(group.rank + 1)];
  await group.sum(wide);
  await group.sum(narrow, "bfloat16");
  const expected = (group.size * (group.size + 1)) / 2;
  await group.leave();
  if (wide[0] !== expected || narrow[0] !== expected)
    throw new Error(`the sum of 1 to ${group.size} came out as ${wide[0]} (in bfloat16 ${narrow[0]})`);
  if (group.rank === 0) console.log(`summed over ${group.size} with ${group.mpi}`);
}

if (require.main === module)
  check(process.argv[2]).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
