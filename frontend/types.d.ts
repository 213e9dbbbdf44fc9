/** What `tb_gradascent/http_api.md` promises, once `api.js` has read it. */

export interface RunTags {
  run: string;
  tags: string[];
}

export interface Session {
  session: string;
  started: number;
  version: number;
  class_names: string[] | null;
  mean: number[] | null;
  std: number[] | null;
  /** `[low, high]`, a value a channel each: what is painted black and white. */
  bounds: [number[], number[]] | null;
  /** Which process of how many; `null` where there was one alone. */
  rank: number | null;
  world_size: number | null;
}

export type Stopped = "confidence" | "max_steps" | "stalled" | "nonfinite" | "none";

export interface Target {
  index: number;
  /** The target's probability at each of the sample's strengths. */
  probabilities: number[];
  /** There, the probability of the class that is predicted of the original. */
  original_probabilities: number[];
  /** The predicted class at each of the sample's strengths. */
  predictions: number[];
  steps: number;
  stopped: Stopped;
  gradient_norm: number;
  /** `null` where no ascent was made; the payload then has no delta either. */
  delta_norm: number | null;
}

export interface Sample {
  /** Unique in the page: `<run>|<session>.<capture>.<index>`. */
  key: string;
  /** What `payloads` calls it: `<session>.<capture>.<index>`. */
  address: string;
  run: string;
  tag: string;
  session: Session;
  capture: number;
  index: number;
  wall_time: number;
  version: number;
  step: number;
  probe: boolean;
  id: string | null;
  label: number | null;
  /** An image's channels, height and width, or a signal's channels and length. */
  shape: [number, number, number] | [number, number];
  classes: number[];
  probabilities: number[];
  margin: number;
  /** That of all classes, in bits. */
  entropy: number;
  /** The cross entropy in nats; `null` without a label that is a class. */
  loss: number | null;
  strengths: number[];
  targets: Target[];
  payload: { bytes: number; crc32c: number };
}

export interface Counts {
  samples: number;
  unreadable: number;
  superseded: number;
  dropped: number;
}

export interface Index {
  run: string;
  tag: string;
  counts: Counts;
  samples: Sample[];
}

/** x, y, width and height, in canvas pixels. */
export type Rectangle = [number, number, number, number];

export interface TargetPanels {
  target: number;
  gradient: Rectangle;
  morph: Rectangle | null;
}

export interface Panels {
  image: Rectangle;
  targets: TargetPanels[];
}

/** A sample's arrays in the units in which they are painted, row by row. */
export interface Picture {
  width: number;
  /** Rows; a panel that is higher, as a signal's is, repeats each. */
  height: number;
  /** 1 (grey), 2 (their mean is painted) or 3 (red, green, blue). */
  planes: number;
  /** The image in grey levels, before they are rounded and clipped; plane by plane. */
  base: Float32Array;
  targets: TargetPicture[];
  /** Memory that it takes. */
  bytes: number;
}

export interface TargetPicture {
  /** A place in a palette for each pixel, row by row. */
  gradient: Uint16Array;
  /** What one unit of strength adds to `base`. */
  change: Float32Array | null;
}

export type Theme = "light" | "dark";
