/** What torch.save writes: zip archives and pickles, read without running them, and written. */
export { toPlainValue } from "./plainValue";
export { isStoredDtype } from "./torchDtypes";
export { keepTorchFile, openTorchFile } from "./torchFile";
export type { TorchState } from "./torchStates";
export { extras, type TorchPlain, writeTorchCheckpoint } from "./torchWriter";
