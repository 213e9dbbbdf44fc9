/** Rows as the back end packs them, written from `tb_gradascent/http_api.md`. */

const STOPPED = ["confidence", "max_steps", "stalled", "nonfinite", "none"];

/** The row of a sample made by `makeSample`, with `dropped` beside its own fields. */
export function rowOf(sample) {
  const { classes, strengths, targets } = sample;
  const numbers = [...sample.probabilities, ...strengths];
  const integers = [...classes];
  for (const target of targets) {
    numbers.push(target.gradient_norm, target.delta_norm ?? 0);
    numbers.push(...target.probabilities, ...target.original_probabilities);
    integers.push(target.index, target.steps, STOPPED.indexOf(target.stopped));
    integers.push(target.delta_norm === null ? 0 : 1, ...target.predictions);
  }
  const id = new TextEncoder().encode(sample.id ?? "");
  const length = Math.ceil((120 + 8 * numbers.length + 4 * integers.length + id.length) / 8) * 8;
  const row = new DataView(new ArrayBuffer(length));
  let at = 0;
  const put = (kind, size, ...values) => {
    for (const value of values) {
      row[`set${kind}`](at, kind === "BigInt64" ? BigInt(value) : value, true);
      at += size;
    }
  };
  const flags = [sample.probe, sample.id !== null, sample.label !== null, sample.loss !== null];
  put("Uint32", 4, length, sample.index);
  put("BigInt64", 8, sample.capture);
  put("Float64", 8, sample.wall_time, sample.step, sample.label ?? 0, sample.margin, sample.entropy);
  put("Float64", 8, sample.loss ?? 0, sample.dropped ?? 0, sample.every ?? 0);
  put("Uint32", 4, sample.payload.bytes, sample.payload.crc32c);
  put("Uint16", 2, sample.version, flags.reduce((sum, flag, position) => sum + (flag ? 1 << position : 0), 0));
  put("Uint32", 4, ...sample.shape, ...(sample.shape.length === 2 ? [0] : []));
  put("Uint32", 4, classes.length, strengths.length, targets.length, id.length);
  put("Float64", 8, ...numbers);
  put("Uint32", 4, ...integers);
  put("Uint8", 1, ...id);
  return new Uint8Array(row.buffer);
}

/** An answer of `records`: for each part `[first, end, unreadable, samples]`. */
export function recordsAnswer(parts) {
  const pieces = parts.flatMap(([first, end, unreadable, samples]) => {
    const rows = samples.map(rowOf);
    const length = rows.reduce((sum, row) => sum + row.length, 0);
    return [new Uint8Array(Uint32Array.of(first, end, unreadable, length).buffer), ...rows];
  });
  const answer = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    answer.set(piece, at);
    at += piece.length;
  }
  return answer.buffer;
}
