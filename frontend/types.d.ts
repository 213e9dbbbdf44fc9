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
  /** The place of the first of them that is the target; -1 if none is. */
  flip_place: number;
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
  /** Steps between captures as they stood, where the hook's budget had stretched them. */
  every: number | null;
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

/** A size in canvas pixels. */
export interface Raster {
  width: number;
  height: number;
}

/** A gradient as places in a table of colours: 255 stands for what is not finite. */
export interface TargetLevels {
  /** The signed gradient: 127 is zero, 0 and 254 are minus and plus `largest`. */
  gradient: Uint8Array;
  largest: number;
  /** 0 is zero, 254 is `largestMagnitude`. */
  magnitude: Uint8Array;
  largestMagnitude: number;
}

/** A sample's arrays in the units in which they are painted, row by row. */
export type Picture = ImagePicture | SignalPicture;

export interface ImagePicture extends Raster {
  kind: "image";
  /** 1 (grey), 2 (their mean is painted) or 3 (red, green, blue). */
  planes: number;
  /** The image in grey levels, before they are rounded and clipped; plane by plane. */
  base: Float32Array;
  /** With what one unit of strength adds to `base`. */
  targets: (TargetLevels & { change: Float32Array | null })[];
  /** Memory that it takes. */
  bytes: number;
}

export interface SignalPicture {
  kind: "signal";
  channels: number;
  length: number;
  /** Channel by channel. */
  signal: Float32Array;
  /** What each channel's curves reach from and to. */
  ranges: [number, number][];
  targets: (TargetLevels & { change: Float32Array | null })[];
  bytes: number;
}

export type MapName = "RdBu" | "PuOr" | "BrBG";
/** Whether each gradient's colours end at its own largest value, or all at the same. */
export type Scale = "own" | "common";
export type GradientStyle = "signed" | "overlay" | "magnitude";

export interface Look {
  map: MapName;
  scale: Scale;
  gradient: GradientStyle;
}

export type Theme = "light" | "dark";
