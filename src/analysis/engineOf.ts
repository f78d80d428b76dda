export { engineOf } from "../engine";
