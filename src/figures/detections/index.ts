export { detections } from "./detections";
