/** The types of the data that `tb_gradascent/plugin/http_api.md` documents, and of the pictures made from it. */

export interface RunTags {
  run: string;
  tags: string[];
  /** Those of the tags that have no captures. */
  empty_tags: string[];
}

export interface Session {
  session: string;
  started: number;
  version: number;
  class_names: string[] | null;
  mean: number[] | null;
  std: number[] | null;
  /**
   * `[low, high]`: the values that are painted black and white, one for each channel. `null` if the hook was given
   * neither `bounds` nor `mean` and `std`.
   */
  bounds: [number[], number[]] | null;
  /** The rank of the process and the number of processes; `null` if there was only one. */
  rank: number | null;
  world_size: number | null;
  /** The names of the ascents, in the hook's order; empty if an older version recorded them. */
  ascents: string[];
  /** The names of the other networks that were asked about the morphs. */
  judges: string[];
}

export type Stopped = "confidence" | "max_steps" | "stalled" | "nonfinite" | "none" | "surest" | "chance";

/** What one network answered along a morph. */
export interface Response {
  /** The morph's name for the recorded model, otherwise the judge's name. */
  name: string;
  /** The target's probability at each of the sample's strengths. */
  probabilities: number[];
  /** The probability of the class that the recorded model predicts for the original, at each strength. */
  original_probabilities: number[];
  /** The predicted class at each of the sample's strengths. */
  predictions: number[];
}

/** A change of the sample towards a target, and the answers along it. The payload holds its delta. */
export interface Morph extends Response {
  steps: number;
  stopped: Stopped;
  delta_norm: number;
  /** The largest and the mean magnitude of the delta's elements, in model units; `null` if unknown. */
  largest_change: number | null;
  mean_change: number | null;
  /** The position of the first prediction that is the target; -1 if it never is. */
  flip_position: number;
  /** For each small change of the finished morph: whether the network still predicts the target. */
  survived: boolean[];
  /**
   * If the network answers at random: the lowest and the highest probability of the target in several answers about the
   * finished morph. Otherwise `null`.
   */
  spread: [number, number] | null;
  judges: Response[];
}

export interface Target {
  index: number;
  /** 1: the morphs lead towards the class; -1: away from it. */
  direction: 1 | -1;
  gradient_norm: number;
  /** The 99th percentile of the gradient's magnitudes; `null` if unknown. */
  gradient_p99: number | null;
  /** Empty if no ascent was made. */
  morphs: Morph[];
}

export interface Sample {
  /** Unique in the page: `<run>|<tag>|<address>`. */
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
  /** The values that its morphs keep to, one for each channel; `null`: the session's `bounds`. */
  bounds: [number[], number[]] | null;
  targets: Target[];
  /** `codecs` has the codec of the image, then of each further array in the payload. */
  payload: { bytes: number; crc32c: number; codecs: number[] };
  /** The steps between captures, if `budget_mb` or `max_overhead` made captures rarer; otherwise `null`. */
  every: number | null;
  /** The same number for samples with the same card layout, once it is known. */
  layoutId?: number;
}

export interface Counts {
  samples: number;
  unreadable: number;
  superseded: number;
  dropped: number;
}

/** Something that the hook found out about the training or about what is recorded. */
export interface Notice {
  code: string;
  severity: "error" | "warning" | "info";
  message: string;
  /** Empty if there is nothing to do. */
  remedy: string;
  step: number | null;
  count: number;
}

/** What a session told about itself, at `wall_time`. */
export interface Status {
  wall_time: number;
  notices: Notice[];
  steps: number;
  captured: number;
  dropped: number;
  failed: number;
  /** Seconds that captures took, and seconds of the training without them. */
  overhead: number;
  elapsed: number;
  /** Whether captures may take any share of the time. */
  unlimited: boolean;
  every: number | null;
  /** The smallest margin seen in the batches of due steps; `null` if none was seen. */
  least_margin: number | null;
  ended: boolean;
}

/** A session of a run, with or without captures. */
export interface RunSession {
  session: Session;
  captures: number;
  /** How many of its samples that were read are not superseded. */
  shown: number;
  /** `null` if an older version recorded it. */
  status: Status | null;
}

export interface RunIndex {
  run: string;
  tag: string;
  counts: Counts;
  samples: Sample[];
  /** Sorted by their start. */
  sessions: RunSession[];
  /** How many captures were read so far, and how many there are; `null` if all were read. */
  reading: { read: number; all: number } | null;
}

/** x, y, width and height, in canvas pixels. */
export type Rectangle = [number, number, number, number];

export interface TargetPanels {
  target: number;
  gradient: Rectangle;
  morph: Rectangle | null;
  change: Rectangle | null;
}

export interface Panels {
  /** `null` if the original is shown on another card. */
  image: Rectangle | null;
  targets: TargetPanels[];
}

/** Kinds of text that differ in their font: the title of a card, its chips, and all smaller texts. */
export type TextKind = "title" | "chip" | "small";

/** The width of a text in CSS pixels. The views measure it with the font of its kind. */
export type MeasureText = (text: string, kind: TextKind) => number;

/** A size in canvas pixels. */
export interface Raster {
  width: number;
  height: number;
}

/** A gradient as positions in a table of colours. 255 stands for a number that is not finite. */
export interface TargetLevels {
  /** The signed gradient: 127 is zero, 0 and 254 are minus and plus `end` or beyond. */
  gradient: Uint8Array;
  /** The 99th percentile of its magnitude. */
  end: number;
  /** 0 is zero, 254 is `magnitudeEnd` or beyond. */
  magnitude: Uint8Array;
  magnitudeEnd: number;
  /** The magnitude, smoothed: 0 is zero, 254 is `heatEnd` or beyond. */
  heat: Uint8Array;
  heatEnd: number;
  /** How the gradient is drawn if the user did not choose a style. */
  usualStyle: GradientStyle;
}

/** The change of one morph, ready to be drawn. */
export interface MorphChange {
  /** What a strength of 1 adds to the original, in the units of the picture. */
  change: Float32Array;
  /** How many times the change panel enlarges the change. */
  gain: number;
  /** The largest and the mean magnitude of the change: in 255ths of an image's range, or in a signal's units. */
  largest: number;
  mean: number;
}

export type TargetPicture = TargetLevels & { morphs: MorphChange[] };

/** The arrays of a sample in the units of the screen, row by row. */
export type Picture = ImagePicture | SignalPicture;

export interface ImagePicture extends Raster {
  kind: "image";
  /** How many channels are painted: 1 (grey), 2 (as their mean) or 3 (red, green, blue). */
  planes: number;
  /** The image in grey levels, not rounded and not clipped, plane by plane. */
  base: Float32Array;
  /** For each plane the lowest and highest whole grey level that a morph has. */
  legal: [number, number][];
  targets: TargetPicture[];
  /** Its size in memory. */
  bytes: number;
}

export interface SignalPicture {
  kind: "signal";
  channels: number;
  length: number;
  /** Channel by channel. */
  signal: Float32Array;
  /** For each channel the lowest and highest value that a morph has. */
  legal: [number, number][];
  /** The smallest and largest value of each channel's curves. */
  ranges: [number, number][];
  targets: TargetPicture[];
  bytes: number;
}

export type MapName = "RdBu" | "PuOr" | "BrBG";
/** Whether the colour scale of each gradient ends at its own 99th percentile, or all scales end at the same value. */
export type Scale = "own" | "common";
export type GradientStyle = "signed" | "overlay" | "magnitude" | "heat";

export interface GradientColors {
  map: MapName;
  scale: Scale;
  /** "auto": heat for photographs, signed for all other samples. */
  style: GradientStyle | "auto";
}

export type Theme = "light" | "dark";
