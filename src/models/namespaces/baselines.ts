/** What the paper puts in the block's place. */
export { frozenBlock, mlpL, mlpP, randomBlock } from "../baselines";
