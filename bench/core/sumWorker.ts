import { joinGroup } from "../../src/distributed/group";
import { placeIn } from "../../src/distributed/place";
import { sumGradients } from "../../src/distributed/sumGradients";
import { serve, took } from "./workerSide";

/* node sumWorker.js <numbers of each gradient> <port>: sums gradients of these sizes when it is told to. */

const [, , sizes, port] = process.argv;
const group = joinGroup(placeIn());
const gradients = sizes.split(",").map((size) => new Float32Array(Number(size)).fill(2 ** -10));

async function sum() {
  await group.sum(Float64Array.of(0)); // all begin together
  return { ...(await took(() => sumGradients(group, gradients, true))), mpi: group.mpi };
}

serve(Number(port), { sum }, () => group.leave());
