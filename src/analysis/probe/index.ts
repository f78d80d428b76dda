export { LinearProbe } from "./linearProbe";
export { type NeighborOptions, type NeighborVotes, nearestNeighbors } from "./nearestNeighbors";
export { type ProbeOptions, TrainedProbe, trainProbe } from "./trainProbe";
