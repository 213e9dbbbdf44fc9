/** The types of the data that `tb_gradascent/plugin/http_api.md` documents, and of the pictures made from it. */

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
  /** `[low, high]`: the values that are painted black and white, one for each channel. */
  bounds: [number[], number[]] | null;
  /** The rank of the process and the number of processes; `null` if there was only one. */
  rank: number | null;
  world_size: number | null;
}

export type Stopped = "confidence" | "max_steps" | "stalled" | "nonfinite" | "none";

export interface Target {
  index: number;
  /** The target's probability at each of the sample's strengths. */
  probabilities: number[];
  /** The probability of the class that is predicted for the original, at each of the sample's strengths. */
  original_probabilities: number[];
  /** The predicted class at each of the sample's strengths. */
  predictions: number[];
  /** The position of the first prediction that is the target; -1 if it never is. */
  flip_position: number;
  steps: number;
  stopped: Stopped;
  gradient_norm: number;
  /** `null` if no ascent was made. The payload then has no delta either. */
  delta_norm: number | null;
}

export interface Sample {
  /** Unique in the page: `<run>|<session>.<capture>.<index>`. */
  key: string;
  /** Its name in the route `payloads`: `<session>.<capture>.<index>`. */
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
  /** The channels, height and width of an image, or the channels and length of a signal. */
  shape: [number, number, number] | [number, number];
  classes: number[];
  probabilities: number[];
  margin: number;
  /** The entropy of the probabilities of all classes, in bits. */
  entropy: number;
  /** The cross entropy, in nats; `null` if the label is missing or is not a class. */
  loss: number | null;
  strengths: number[];
  targets: Target[];
  payload: { bytes: number; crc32c: number };
  /** The steps between captures, if the hook's budget made captures rarer; otherwise `null`. */
  every: number | null;
}

export interface Counts {
  samples: number;
  unreadable: number;
  superseded: number;
  dropped: number;
}

export interface RunIndex {
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

/** A gradient as positions in a table of colours. 255 stands for a number that is not finite. */
export interface TargetLevels {
  /** The signed gradient: 127 is zero, 0 and 254 are minus and plus `largest`. */
  gradient: Uint8Array;
  largest: number;
  /** 0 is zero, 254 is `largestMagnitude`. */
  magnitude: Uint8Array;
  largestMagnitude: number;
}

/** The arrays of a sample in the units of the screen, row by row. */
export type Picture = ImagePicture | SignalPicture;

export interface ImagePicture extends Raster {
  kind: "image";
  /** How many channels are painted: 1 (grey), 2 (as their mean) or 3 (red, green, blue). */
  planes: number;
  /** The image in grey levels, not rounded and not clipped, plane by plane. */
  base: Float32Array;
  /** `change` is what a strength of 1 adds to `base`. */
  targets: (TargetLevels & { change: Float32Array | null })[];
  /** Its size in memory. */
  bytes: number;
}

export interface SignalPicture {
  kind: "signal";
  channels: number;
  length: number;
  /** Channel by channel. */
  signal: Float32Array;
  /** The smallest and largest value of each channel's curves. */
  ranges: [number, number][];
  targets: (TargetLevels & { change: Float32Array | null })[];
  bytes: number;
}

export type MapName = "RdBu" | "PuOr" | "BrBG";
/** Whether the colour scale of each gradient ends at its own largest value, or all scales end at the same value. */
export type Scale = "own" | "common";
export type GradientStyle = "signed" | "overlay" | "magnitude";

export interface GradientColors {
  map: MapName;
  scale: Scale;
  style: GradientStyle;
}

export type Theme = "light" | "dark";
