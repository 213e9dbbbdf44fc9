export { Overview as PairView } from "../overview/overview.js";
